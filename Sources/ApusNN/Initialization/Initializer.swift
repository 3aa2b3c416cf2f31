import ApusTensor

/// The initial value of a parameter.
///
/// The fans of weights `[outputs, inputs, kernel…]` are `fanIn = inputs · Πkernel` and `fanOut = outputs · Πkernel`.
public struct Initializer: Sendable {
  let make: @Sendable (Shape, Fans, inout RandomKey) -> Tensor

  /// The numbers of connections into and out of a unit. The variance of `Initializer.heNormal` is inversely
  /// proportional to one of them, and the variance of `Initializer.xavierNormal` to their sum.
  public struct Fans: Hashable, Sendable {
    /// The number of terms summed into one output.
    public var fanIn: Int
    /// The number of outputs that one input contributes to. In grouped convolutions it counts the outputs of all
    /// groups, as in PyTorch.
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

  /// A user-defined initializer.
  ///
  /// - Parameter make: computes a tensor of the given shape from the fans and a random key, and advances the key.
  public init(_ make: @escaping @Sendable (Shape, Fans, inout RandomKey) -> Tensor) { self.make = make }

  /// A new value of shape `shape`, with random numbers from `RandomSource.current`; `withRandomKey` sets their seed.
  ///
  /// - Parameter fans: by default the fans of a weight `[outputs, inputs, kernel…]`.
  public func callAsFunction(_ shape: Shape, fans: Fans? = nil) -> Tensor {
    RandomSource.current.draw { key in make(shape, fans ?? Fans(weight: shape), &key) }
  }
}

extension Initializer {
  /// All elements are 0.
  public static let zeros = constant(0)
  /// All elements are 1.
  public static let ones = constant(1)

  /// All elements are `value`.
  public static func constant(_ value: Double) -> Initializer {
    Initializer { shape, _, _ in Tensor(repeating: value, shape: shape) }
  }

  /// Uniform in `lower ..< upper`.
  public static func uniform(lower: Double, upper: Double) -> Initializer {
    Initializer { shape, _, key in .uniform(shape, lower: lower, upper: upper, key: &key) }
  }

  /// Uniform in `−bound ..< bound`.
  public static func uniform(bound: Double) -> Initializer { uniform(lower: -bound, upper: bound) }

  /// Normal with a mean and a standard deviation.
  public static func normal(mean: Double = 0, deviation: Double) -> Initializer {
    Initializer { shape, _, key in .normal(shape, mean: mean, deviation: deviation, key: &key) }
  }

  /// Normal, truncated to `mean + deviation · (lower … upper)`, by default at two deviations. Values outside of this
  /// range are never drawn: the inverse distribution function maps uniform numbers into the range, and only its
  /// rounding errors are clamped. The deviation of the result is smaller than `deviation`: 0.88 times as large if
  /// truncated at two deviations.
  ///
  /// PyTorch's `trunc_normal_(mean, std, a, b)` takes absolute bounds: `lower = (a − mean) / std` and
  /// `upper = (b − mean) / std`.
  public static func truncatedNormal(
    mean: Double = 0, deviation: Double, lower: Double = -2, upper: Double = 2
  ) -> Initializer {
    Initializer { shape, _, key in
      .truncatedNormal(shape, mean: mean, deviation: deviation, lower: lower, upper: upper, key: &key)
    }
  }
}
