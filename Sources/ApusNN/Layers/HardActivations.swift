import ApusTensor

// Each takes any shape and works element by element.

/// `min(max(x, 0), 6)`.
public struct ReLU6: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.relu6() }
}

/// `x` cut to `lower … upper`.
public struct HardTanh: Layer {
  /// The lower bound.
  public let lower: Double
  /// The upper bound.
  public let upper: Double

  public init(lower: Double = -1, upper: Double = 1) {
    self.lower = lower
    self.upper = upper
  }

  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.hardTanh(lower: lower, upper: upper) }
}

/// `min(max(x + 3, 0), 6) / 6`.
public struct HardSigmoid: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.hardSigmoid() }
}

/// `x · min(max(x + 3, 0), 6) / 6` (Howard et al., 2019).
public struct HardSwish: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.hardSwish() }
}

/// `x` where `|x| > bound`, else 0.
public struct HardShrink: Layer {
  /// Numbers of at most this size become 0.
  public let bound: Double
  public init(_ bound: Double = 0.5) { self.bound = bound }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.hardShrink(bound) }
}

/// `x` moved by `bound` towards 0, and 0 where `|x| ≤ bound`.
public struct SoftShrink: Layer {
  /// Numbers of at most this size become 0.
  public let bound: Double
  public init(_ bound: Double = 0.5) { self.bound = bound }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.softShrink(bound) }
}

/// `x − tanh(x)`.
public struct TanhShrink: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.tanhShrink() }
}

/// `x` above `bound`, else `value`.
public struct Threshold: Layer {
  /// Numbers up to this are replaced.
  public let bound: Double
  /// What stands in for numbers up to the bound.
  public let value: Double

  public init(_ bound: Double, value: Double) {
    self.bound = bound
    self.value = value
  }

  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.threshold(bound, value: value) }
}

/// 1 where `x ≥ 0`, else 0: the threshold unit (McCulloch, Pitts, 1943), trained with a straight-through gradient.
public struct UnitStep: Layer {
  /// What flows back; `nil` for the true derivative, which is 0.
  public let gradient: StraightThrough?

  /// - Parameter gradient: what flows back; `nil` for the true derivative, which is 0.
  public init(gradient: StraightThrough? = .identity) { self.gradient = gradient }

  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.unitStep(gradient: gradient) }
}
