import ApusTensor

/// Initializers that preserve the variance of activations or gradients: the standard deviation is
/// `gain · √(2 / (fanIn + fanOut))` or `gain / √fan`, where `fan` is `fanIn` or `fanOut` (see `Fans`). The bounds of
/// a uniform distribution are `±√3` times its standard deviation.
extension Initializer {
  /// The choice of `fan` in the variance `gain² / fan`.
  public enum Fan: String, Hashable, Sendable, CaseIterable {
    /// `fanIn`: preserves the variance of activations in the forward pass.
    case input
    /// `fanOut`: preserves the variance of gradients in the backward pass.
    case output
  }

  /// The two forms of Xavier's (Glorot's) initialization.
  public enum XavierForm: String, Hashable, Sendable, CaseIterable {
    /// The variance `2 / (fanIn + fanOut)` of the paper, a compromise between activations and gradients.
    case average
    /// The variance `1 / fanIn`, which textbooks and Caffe also call Xavier: it preserves the variance of activations,
    /// but not the variance of gradients.
    case input
  }

  /// PyTorch's default for the weights and biases of `Linear` and `Conv`: uniform in `±1/√fanIn`. For
  /// weights this is `kaiming_uniform_` with `a = √5`.
  public static let pytorch = scaled(isNormal: false) { 1 / (3 * connections($0, .input)).squareRoot() }

  /// Uniform in `±gain · √(6 / (fanIn + fanOut))` (Glorot, Bengio, 2010); with the form `.input` in
  /// `±gain · √(3 / fanIn)`.
  public static func xavierUniform(gain: Double = 1, form: XavierForm = .average) -> Initializer {
    scaled(isNormal: false) { gain * xavierDeviation($0, form) }
  }

  /// Normal with the standard deviation `gain · √(2 / (fanIn + fanOut))` (Glorot, Bengio, 2010); with the form `.input`
  /// `gain · √(1 / fanIn)`.
  public static func xavierNormal(gain: Double = 1, form: XavierForm = .average) -> Initializer {
    scaled(isNormal: true) { gain * xavierDeviation($0, form) }
  }

  /// Uniform in `±gain · √(3 / fan)`; the gain of ReLU makes the variance `2 / fan` (He et al., 2015).
  public static func heUniform(gain: Double = Nonlinearity.relu.gain, fan: Fan = .input) -> Initializer {
    scaled(isNormal: false) { gain / connections($0, fan).squareRoot() }
  }

  /// Normal with the standard deviation `gain / √fan`; the gain of ReLU makes the variance `2 / fan` (He et al., 2015).
  public static func heNormal(gain: Double = Nonlinearity.relu.gain, fan: Fan = .input) -> Initializer {
    scaled(isNormal: true) { gain / connections($0, fan).squareRoot() }
  }

  /// Uniform in `±√(3 / fanIn)`, with the variance `1 / fanIn` (LeCun, Bottou, Orr, Müller, 1998): for `SELU` and
  /// `Tanh.leCun`.
  public static let lecunUniform = heUniform(gain: 1)

  /// Normal with the variance `1 / fanIn` (LeCun, Bottou, Orr, Müller, 1998), not truncated.
  public static let lecunNormal = heNormal(gain: 1)

  private static func connections(_ fans: Fans, _ fan: Fan) -> Double {
    Double(max(fan == .input ? fans.fanIn : fans.fanOut, 1))
  }

  private static func xavierDeviation(_ fans: Fans, _ form: XavierForm) -> Double {
    switch form {
    case .average: (2 / Double(max(fans.fanIn + fans.fanOut, 1))).squareRoot()
    case .input: 1 / connections(fans, .input).squareRoot()
    }
  }

  private static func scaled(
    isNormal: Bool, _ deviation: @escaping @Sendable (Fans) -> Double
  ) -> Initializer {
    Initializer { shape, fans, key in
      if isNormal { return .normal(shape, deviation: deviation(fans), key: &key) }
      let bound = deviation(fans) * 3.0.squareRoot()
      return .uniform(shape, lower: -bound, upper: bound, key: &key)
    }
  }
}

/// The function that follows a layer and determines the gain of the layer's initializer:
/// `initializer: .heNormal(gain: Nonlinearity.tanh.gain)`.
public enum Nonlinearity: Hashable, Sendable {
  case linear
  case sigmoid
  case tanh
  case relu
  /// Leaky ReLU, with `slope` for negative inputs.
  case leakyReLU(slope: Double)
  case selu

  /// The factor of the weights' standard deviation that compensates for the variance lost in the function: 1 for linear
  /// and sigmoid, `5/3` for tanh, `√2` for ReLU, `√(2 / (1 + slope²))` for leaky ReLU, `3/4` for SELU (PyTorch's
  /// `calculate_gain`).
  public var gain: Double {
    switch self {
    case .linear, .sigmoid: 1
    case .tanh: 5 / 3
    case .relu: 2.0.squareRoot()
    case .leakyReLU(let slope): (2 / (1 + slope * slope)).squareRoot()
    case .selu: 0.75
    }
  }
}
