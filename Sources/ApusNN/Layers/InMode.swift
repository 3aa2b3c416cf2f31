import ApusTensor

/// A layer with its own mode, which overrides the mode of the task. Examples are a batch norm that keeps its running
/// statistics in a model that is trained, and dropout that stays active. Keys and shapes are the same as for the layer.
/// ```swift
/// let model = Sequential {
///   Conv2d(3, 8, kernel: 3)
///   BatchNorm(8).inMode(.inference)
/// }
/// ```
/// Recomputation in `checkpointed` runs the layer in the same mode.
public struct InMode<Base: Layer>: Layer {
  /// The layer.
  public let base: Base
  /// The mode that it runs in.
  public let mode: Mode

  public static var typeName: String { Base.typeName }
  public var members: [ModuleMember] { base.members }

  public func callAsFunction(_ x: Tensor) -> Tensor { withMode(mode) { base(x) } }
}

extension Layer {
  /// The layer with its own mode. It shares parameters and statistics with this layer.
  public func inMode(_ mode: Mode) -> InMode<Self> { InMode(base: self, mode: mode) }
}
