import ApusTensor

/// How a parameter starts.
///
/// Fans are those of weights `[outputs, inputs, kernel…]`: `fanIn = inputs · Πkernel`,
/// `fanOut = outputs · Πkernel`.
public struct Initializer: Sendable {
  private let make: @Sendable (Shape, Fans, inout RandomKey) -> Tensor

  public struct Fans: Hashable, Sendable {
    public var fanIn: Int
    public var fanOut: Int

    public init(fanIn: Int, fanOut: Int) {
      self.fanIn = fanIn
      self.fanOut = fanOut
    }

    /// The fans of a weight `[outputs, inputs, kernel…]`.
    public init(weight shape: Shape) {
      let kernel = shape.dropFirst(2).reduce(1, *)
      self.init(
        fanIn: (shape.rank > 1 ? shape[1] : shape.first ?? 1) * kernel, fanOut: (shape.first ?? 1) * kernel)
    }
  }

  /// An initializer of one's own.
  public init(_ make: @escaping @Sendable (Shape, Fans, inout RandomKey) -> Tensor) { self.make = make }

  /// A new value, its random numbers from the task's `RandomSource`.
  public func callAsFunction(_ shape: Shape, fans: Fans? = nil) -> Tensor {
    RandomSource.current.draw { key in make(shape, fans ?? Fans(weight: shape), &key) }
  }
}

extension Initializer {
  public static let zeros = constant(0)
  public static let ones = constant(1)

  public static func constant(_ value: Double) -> Initializer {
    Initializer { shape, _, _ in Tensor(repeating: value, shape: shape) }
  }

  /// Uniform in `−bound ..< bound`.
  public static func uniform(bound: Double) -> Initializer {
    Initializer { shape, _, key in .uniform(shape, lower: -bound, upper: bound, key: &key) }
  }

  public static func normal(mean: Double = 0, deviation: Double) -> Initializer {
    Initializer { shape, _, key in .normal(shape, mean: mean, deviation: deviation, key: &key) }
  }

  /// Normal, cut at two deviations.
  public static func truncatedNormal(deviation: Double) -> Initializer {
    Initializer { shape, _, key in .truncatedNormal(shape, deviation: deviation, key: &key) }
  }

  /// PyTorch's default for the weights and biases of `Linear` and `Conv`: uniform in `±1/√fanIn`, which is
  /// `kaiming_uniform_` with `a = √5`.
  public static let pytorch = scaledUniform { 1 / Double(max($0.fanIn, 1)).squareRoot() }

  /// Uniform in `±gain · √(6 / (fanIn + fanOut))` (Glorot, Bengio, 2010).
  public static func xavierUniform(gain: Double = 1) -> Initializer {
    scaledUniform { gain * (6 / Double(max($0.fanIn + $0.fanOut, 1))).squareRoot() }
  }

  /// Normal with deviation `gain · √(2 / (fanIn + fanOut))` (Glorot, Bengio, 2010).
  public static func xavierNormal(gain: Double = 1) -> Initializer {
    scaledNormal { gain * (2 / Double(max($0.fanIn + $0.fanOut, 1))).squareRoot() }
  }

  /// Uniform in `±gain · √(3 / fanIn)`; a gain of `√2` suits ReLU (He et al., 2015).
  public static func heUniform(gain: Double = 1.4142135623730951) -> Initializer {
    scaledUniform { gain * (3 / Double(max($0.fanIn, 1))).squareRoot() }
  }

  /// Normal with deviation `gain / √fanIn`; a gain of `√2` suits ReLU (He et al., 2015).
  public static func heNormal(gain: Double = 1.4142135623730951) -> Initializer {
    scaledNormal { gain / Double(max($0.fanIn, 1)).squareRoot() }
  }

  private static func scaledUniform(_ bound: @escaping @Sendable (Fans) -> Double) -> Initializer {
    Initializer { shape, fans, key in
      .uniform(shape, lower: -bound(fans), upper: bound(fans), key: &key)
    }
  }

  private static func scaledNormal(_ deviation: @escaping @Sendable (Fans) -> Double) -> Initializer {
    Initializer { shape, fans, key in .normal(shape, deviation: deviation(fans), key: &key) }
  }
}
