import ApusTensor

// Layers for tensors of any shape that has the layer's axis.

/// `exp(xᵢ) / Σⱼ exp(xⱼ)` along an axis, in the same shape.
public struct Softmax: Layer {
  /// The axis; negative numbers count from the end.
  public let axis: Int
  public init(axis: Int = -1) { self.axis = axis }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.softmax(axis: axis) }
}

/// `xᵢ − log Σⱼ exp(xⱼ)` along an axis, in the same shape.
public struct LogSoftmax: Layer {
  /// The axis; negative numbers count from the end.
  public let axis: Int
  public init(axis: Int = -1) { self.axis = axis }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.logSoftmax(axis: axis) }
}

/// `exp(−xᵢ) / Σⱼ exp(−xⱼ)` along an axis, in the same shape.
public struct Softmin: Layer {
  /// The axis; negative numbers count from the end.
  public let axis: Int
  public init(axis: Int = -1) { self.axis = axis }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.softmin(axis: axis) }
}

/// `a · sigmoid(b)` for the two halves `a` and `b` of an axis (Dauphin et al., 2017), whose extent must be even. For
/// the last axis: `[batch…, 2 · features]` to `[batch…, features]`.
public struct GLU: Layer {
  /// The axis; negative numbers count from the end.
  public let axis: Int
  public init(axis: Int = -1) { self.axis = axis }
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x.glu(axis: axis) }
}
