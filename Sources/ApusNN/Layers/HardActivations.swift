import ApusTensor

// Elementwise layers for tensors of any shape.

/// `min(max(x, 0), 6)` of each element, in the same shape.
public struct ReLU6: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.relu6() }
}

/// Each element clipped to `lower … upper`, in the same shape.
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

/// `min(max(x + 3, 0), 6) / 6` of each element, in the same shape.
public struct HardSigmoid: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.hardSigmoid() }
}

/// `x · min(max(x + 3, 0), 6) / 6` of each element (Howard et al., 2019), in the same shape.
public struct HardSwish: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.hardSwish() }
}

/// `x` where `|x| > bound`, else 0, in the same shape.
public struct HardShrink: Layer {
  /// Elements with at most this magnitude become 0.
  public let bound: Double
  public init(_ bound: Double = 0.5) { self.bound = bound }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.hardShrink(bound) }
}

/// `x` moved towards 0 by `bound`, and 0 where `|x| ≤ bound`, in the same shape.
public struct SoftShrink: Layer {
  /// Elements with at most this magnitude become 0.
  public let bound: Double
  public init(_ bound: Double = 0.5) { self.bound = bound }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.softShrink(bound) }
}

/// `x − tanh(x)` of each element, in the same shape.
public struct TanhShrink: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.tanhShrink() }
}

/// `x` where it is above `bound`, else `value`, in the same shape.
public struct Threshold: Layer {
  /// Elements that are not above this bound are replaced.
  public let bound: Double
  /// The replacement value.
  public let value: Double

  public init(_ bound: Double, value: Double) {
    self.bound = bound
    self.value = value
  }

  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.threshold(bound, value: value) }
}

/// 1 where `x ≥ 0`, else 0, in the same shape: the threshold unit (McCulloch, Pitts, 1943), trained with a
/// straight-through gradient.
public struct UnitStep: Layer {
  /// The straight-through gradient; `nil` for the true derivative, which is 0.
  public let gradient: StraightThrough?

  /// - Parameter gradient: the straight-through gradient; `nil` for the true derivative, which is 0.
  public init(gradient: StraightThrough? = .identity) { self.gradient = gradient }

  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.unitStep(gradient: gradient) }
}
