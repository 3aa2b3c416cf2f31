import ApusTensor

/// A layer with its own mode, which overrides the `withMode(_:_:)` around the model. Examples are a batch norm that
/// keeps its running statistics in a model that is trained, and dropout that stays active in inference. The keys and
/// shapes of the parameters are the same as without the mode.
/// ```swift
/// let model = Sequential {
///   Conv2d(3, 8, kernel: 3)
///   BatchNorm(8).inMode(.inference)
/// }
/// ```
/// The layer keeps this mode when `checkpointed` runs it again for the gradient.
public struct InMode<Base: Layer>: Layer {
  /// The layer.
  public let base: Base
  /// The mode in which `base` runs.
  public let mode: Mode

  public static var typeName: String { Base.typeName }
  public var members: [ModuleMember] { base.members }

  public func callAsFunction(_ x: Tensor) -> Tensor { withMode(mode) { base(x) } }
}

extension Layer {
  /// This layer with its own mode; the result shares the parameters and statistics of this layer.
  public func inMode(_ mode: Mode) -> InMode<Self> { InMode(base: self, mode: mode) }
}
