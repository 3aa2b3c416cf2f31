import ApusTensor

/// A constraint on the values of a parameter. Each update of the optimizer projects the new values onto the values that
/// the constraint allows, in the same plan that computes them.
public protocol Constraint: Sendable, Equatable {
  /// Projects `value` onto the allowed values, in the same shape and type.
  ///
  /// - Parameter number: makes a scalar tensor whose value may change without a new plan. A `CompiledStep` takes the value
  ///   as a constant until the constraint changes.
  func callAsFunction(_ value: Tensor, number: (Double) -> Tensor) -> Tensor
}

extension Constraint {
  func isEqual(to other: any Constraint) -> Bool { (other as? Self) == self }
}

/// Scales rows down to a norm of at most `limit` (Srebro, Shraibman, 2005; Srivastava et al., 2014): `w · limit / ‖w‖`
/// where `‖w‖ > limit`. A row is all elements with the same index along axis 0: the weights into a unit, or a filter. A
/// parameter with at most one axis is a single row.
public struct MaxNorm: Constraint {
  /// The maximum norm of a row.
  public var limit: Double
  public init(_ limit: Double) { self.limit = limit }

  public func callAsFunction(_ value: Tensor, number: (Double) -> Tensor) -> Tensor {
    let (norm, limit) = (value.rowNorms, number(limit))
    let isLong = norm .> limit
    return isLong.select(value * (limit / isLong.select(norm, number(1))), value)
  }
}

/// Scales rows, as defined for `MaxNorm`, to a norm of 1; rows of zeros stay unchanged.
public struct UnitNorm: Constraint {
  public init() {}

  public func callAsFunction(_ value: Tensor, number: (Double) -> Tensor) -> Tensor {
    let norm = value.rowNorms
    return value / (norm .> number(0)).select(norm, number(1))
  }
}

/// `max(w, 0)`.
public struct NonNegative: Constraint {
  public init() {}

  public func callAsFunction(_ value: Tensor, number: (Double) -> Tensor) -> Tensor { value.relu() }
}

/// `w` clipped to `lower … upper`, as in the Wasserstein GAN (Arjovsky et al., 2017).
public struct ClippedWeights: Constraint {
  /// The smallest weight.
  public var lower: Double
  /// The largest weight.
  public var upper: Double

  public init(lower: Double, upper: Double) {
    self.lower = lower
    self.upper = upper
  }

  public func callAsFunction(_ value: Tensor, number: (Double) -> Tensor) -> Tensor {
    value.clamped(lower: lower, upper: upper)
  }
}

extension Tensor {
  /// The L2 norm of each row; the reduced axes are kept with extent 1.
  fileprivate var rowNorms: Tensor { norm(axes: rank > 1 ? Array(1..<rank) : nil, keepingAxes: true) }
}
