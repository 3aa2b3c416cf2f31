import ApusTensor

// Elementwise layers for tensors of any shape.

/// `max(x, 0)` of each element (Nair, Hinton, 2010), in the same shape.
public struct ReLU: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.relu() }
}

/// `x` where it is positive, else `slope · x` (Maas et al., 2013), in the same shape.
public struct LeakyReLU: Layer {
  /// The factor of negative elements.
  public let slope: Double
  public init(slope: Double = 0.01) { self.slope = slope }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.leakyRelu(slope: slope) }
}

/// `x` where it is positive, else `α (eˣ − 1)` (Clevert et al., 2016), in the same shape.
public struct ELU: Layer {
  /// The factor `α`.
  public let alpha: Double
  public init(alpha: Double = 1) { self.alpha = alpha }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.elu(alpha: alpha) }
}

/// `x` where it is positive, else `α (e^(x/α) − 1)`, in the same shape: ELU with a continuous slope at 0 (Barron,
/// 2017).
public struct CELU: Layer {
  /// The factor `α`.
  public let alpha: Double
  public init(alpha: Double = 1) { self.alpha = alpha }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.celu(alpha: alpha) }
}

/// Scaled ELU for self-normalizing networks (Klambauer et al., 2017): `λ x` where `x` is positive, else `λα (eˣ − 1)`,
/// with `λ = 1.0507` and `α = 1.6733`, in the same shape.
public struct SELU: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.selu() }
}

/// `x Φ(x)` of each element, where `Φ` is the cumulative distribution function of the standard normal distribution
/// (Hendrycks, Gimpel, 2016), in the same shape. With `isApproximate` it is
/// `x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³)))`.
public struct GELU: Layer {
  /// Whether the approximation by `tanh` is used.
  public let isApproximate: Bool
  public init(isApproximate: Bool = false) { self.isApproximate = isApproximate }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.gelu(isApproximate: isApproximate) }
}

/// `x / (1 + e⁻ˣ)` of each element, also called Swish (Ramachandran et al., 2017), in the same shape.
public struct SiLU: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.silu() }
}

/// `x · tanh(log(1 + eˣ))` of each element (Misra, 2019), in the same shape.
public struct Mish: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.mish() }
}

/// `log(1 + e^(βx)) / β` of each element, without overflow, in the same shape: a smooth `max(x, 0)`.
public struct Softplus: Layer {
  /// The factor `β` of `x`.
  public let beta: Double
  public init(beta: Double = 1) { self.beta = beta }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor {
    beta == 1 ? x.softplus() : x.wide { ($0 * beta).softplus() / beta }
  }
}

/// `x / (1 + |x|)` of each element (Turian et al., 2009), in the same shape.
public struct Softsign: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.softsign() }
}

/// `1 / (1 + e⁻ˣ)` of each element, in the same shape.
public struct Sigmoid: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.sigmoid() }
}

/// `−log(1 + e⁻ˣ)` of each element, without overflow, in the same shape.
public struct LogSigmoid: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.logSigmoid() }
}

/// `scale · tanh(slope · x)` of each element, in the same shape.
///
/// The bipolar sigmoid `2 / (1 + e^(−2ax)) − 1` of the literature is `tanh(ax)`: `Tanh(slope: a)`.
public struct Tanh: Layer {
  /// `1.7159·tanh(2x/3)`, which maps ±1 to ±1 (LeCun et al., "Efficient BackProp", 1998). Inputs from a standard normal
  /// distribution give results with a variance of 0.75.
  public static let leCun = Tanh(slope: 2.0 / 3, scale: 1.7159)

  /// The factor of `x`.
  public let slope: Double
  /// The factor of the result.
  public let scale: Double

  public init(slope: Double = 1, scale: Double = 1) {
    self.slope = slope
    self.scale = scale
  }

  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    if slope == 1 && scale == 1 { return x.tanh() }
    return x.inWideLane { x in
      let y = (slope == 1 ? x : x * slope).tanh()
      return scale == 1 ? y : y * scale
    }
  }
}

/// Flattens the axes from `axis` on into one: `[batch, …]` to `[batch, features]`.
public struct Flatten: Layer {
  /// The first axis that is flattened.
  public let axis: Int
  public init(from axis: Int = 1) { self.axis = axis }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.flattened(from: axis) }
}
