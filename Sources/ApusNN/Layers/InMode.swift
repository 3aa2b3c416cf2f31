import ApusTensor

/// A layer in a mode of its own, whatever the mode of the task: a batch norm that keeps its running values in a model
/// that is trained, or dropout that stays on. The keys are those of the layer.
/// ```
/// Sequential {
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
  /// The layer, sharing its parameters and statistics, in a mode of its own.
  public func inMode(_ mode: Mode) -> InMode<Self> { InMode(base: self, mode: mode) }
}
