import ApusTensor

/// Initializers that keep the variance of what passes through: a deviation `gain · √(2 / (fanIn + fanOut))` or
/// `gain / √fan`. A uniform distribution with that deviation reaches `√3` times as far.
extension Initializer {
  /// Which of the two numbers of connections counts.
  public enum Fan: String, Hashable, Sendable, CaseIterable {
    /// `fanIn`: the variance of activations stays on the way forward.
    case input
    /// `fanOut`: the variance of gradients stays on the way back.
    case output
  }

  /// The two forms of Xavier's (Glorot's) initialization.
  public enum XavierForm: String, Hashable, Sendable, CaseIterable {
    /// The variance `2 / (fanIn + fanOut)` of the paper, between what activations and what gradients need.
    case average
    /// The variance `1 / fanIn` that textbooks and Caffe give the same name, for activations alone.
    case input
  }

  /// PyTorch's default for the weights and biases of `Linear` and `Conv`: uniform in `±1/√fanIn`, which is
  /// `kaiming_uniform_` with `a = √5`.
  public static let pytorch = scaled(isNormal: false) { 1 / (3 * connections($0, .input)).squareRoot() }

  /// Uniform in `±gain · √(6 / (fanIn + fanOut))` (Glorot, Bengio, 2010), or `±gain · √(3 / fanIn)`.
  public static func xavierUniform(gain: Double = 1, form: XavierForm = .average) -> Initializer {
    scaled(isNormal: false) { gain * xavierDeviation($0, form) }
  }

  /// Normal with deviation `gain · √(2 / (fanIn + fanOut))` (Glorot, Bengio, 2010), or `gain · √(1 / fanIn)`.
  public static func xavierNormal(gain: Double = 1, form: XavierForm = .average) -> Initializer {
    scaled(isNormal: true) { gain * xavierDeviation($0, form) }
  }

  /// Uniform in `±gain · √(3 / fan)`; the gain of ReLU makes the variance `2 / fan` (He et al., 2015).
  public static func heUniform(gain: Double = Nonlinearity.relu.gain, fan: Fan = .input) -> Initializer {
    scaled(isNormal: false) { gain / connections($0, fan).squareRoot() }
  }

  /// Normal with deviation `gain / √fan`; the gain of ReLU makes the variance `2 / fan` (He et al., 2015).
  public static func heNormal(gain: Double = Nonlinearity.relu.gain, fan: Fan = .input) -> Initializer {
    scaled(isNormal: true) { gain / connections($0, fan).squareRoot() }
  }

  /// Uniform in `±√(3 / fanIn)`, the variance `1 / fanIn` (LeCun, Bottou, Orr, Müller, 1998): for SELU and the scaled
  /// tanh.
  public static let lecunUniform = heUniform(gain: 1)

  /// Normal with the variance `1 / fanIn` (LeCun, Bottou, Orr, Müller, 1998), not cut.
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

/// What follows a layer, for the gain of its initializer: `initializer: .heNormal(gain: Nonlinearity.tanh.gain)`.
public enum Nonlinearity: Hashable, Sendable {
  case linear
  case sigmoid
  case tanh
  case relu
  /// With the slope below 0.
  case leakyReLU(slope: Double)
  case selu

  /// By how much the deviation of weights is raised to make up for what the function takes away: 1 for linear and
  /// sigmoid, `5/3` for tanh, `√2` for ReLU, `√(2 / (1 + slope²))` for leaky ReLU, `3/4` for SELU (PyTorch's
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
