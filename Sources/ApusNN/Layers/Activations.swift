import ApusTensor

/// `max(x, 0)`.
public struct ReLU: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.relu() }
}

/// `x` where it is positive, else `slope · x`.
public struct LeakyReLU: Layer {
  public let slope: Double
  public init(slope: Double = 0.01) { self.slope = slope }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.leakyRelu(slope: slope) }
}

/// `x` where it is positive, else `α (eˣ − 1)`.
public struct ELU: Layer {
  public let alpha: Double
  public init(alpha: Double = 1) { self.alpha = alpha }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.elu(alpha: alpha) }
}

/// The self-normalizing form of ELU.
public struct SELU: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.selu() }
}

/// `x Φ(x)`, with the normal distribution function.
public struct GELU: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.gelu() }
}

/// `x / (1 + e⁻ˣ)`.
public struct SiLU: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.silu() }
}

/// `log(1 + eˣ)`.
public struct Softplus: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.softplus() }
}

/// `1 / (1 + e⁻ˣ)`.
public struct Sigmoid: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.sigmoid() }
}

/// The hyperbolic tangent.
public struct Tanh: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.tanh() }
}

/// `eˣⁱ / Σⱼ eˣʲ` along an axis.
public struct Softmax: Layer {
  public let axis: Int
  public init(axis: Int = -1) { self.axis = axis }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.softmax(axis: axis) }
}

/// The axes from `axis` on as one: `[batch, …]` to `[batch, features]`.
public struct Flatten: Layer {
  public let axis: Int
  public init(from axis: Int = 1) { self.axis = axis }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.flattened(from: axis) }
}
