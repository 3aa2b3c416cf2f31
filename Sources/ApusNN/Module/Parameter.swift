import ApusTensor
import Synchronization

/// A trained value of a model.
///
/// A parameter is a reference. Layers with the same parameter share its value, its gradient and its optimizer state,
/// and setting `isTrainable` to `false` freezes the parameter wherever it is used.
public final class Parameter: Sendable {
  let box: ValueBox
  private let trainable: Atomic<Bool>
  /// Whether optimizers update only the rows that the loss looks up, and the same rows of their state, as PyTorch does
  /// with `sparse=True`. All other rows stay unchanged, regardless of momentum and weight decay, and are not even
  /// read.
  ///
  /// There are two exceptions: gradients that were evaluated before the update, as accumulated gradients are, and
  /// gradients that do not come from lookups alone. In these cases, the update reads the whole parameter, and changes
  /// the rows whose gradient has a nonzero element.
  public let updatesRows: Bool

  /// A parameter that starts as `value`, whose shape it keeps.
  public init(_ value: Tensor, isTrainable: Bool = true, updatesRows: Bool = false) {
    self.updatesRows = updatesRows
    box = ValueBox(value)
    trainable = Atomic(isTrainable)
  }

  /// The value; inside `withValues` the substituted value.
  /// - Precondition: a new value has the shape and type of the old one.
  public var value: Tensor {
    get {
      ParameterReads.current?.add(self)
      return box.value
    }
    set { box.assign(newValue) }
  }

  /// The extents, which are constant.
  public var shape: Shape { box.shape }
  /// The type of the elements, which `Module.convert(to:)` changes.
  public var dtype: DType { box.dtype }

  /// Whether gradients are computed and optimizers change the value.
  public var isTrainable: Bool {
    get { trainable.load(ordering: .relaxed) }
    set { trainable.store(newValue, ordering: .relaxed) }
  }
}

extension Parameter: Hashable {
  public static func == (left: Parameter, right: Parameter) -> Bool { left === right }
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// A value of a model that is updated but not trained, such as the running mean of a batch norm (PyTorch's buffer).
public final class Statistic: Sendable {
  let box: ValueBox

  /// A statistic that starts as `value`, whose shape it keeps.
  public init(_ value: Tensor) { box = ValueBox(value) }

  /// The value; inside `withValues` the substituted value.
  ///
  /// An assigned value has no gradient, and is computed with the next evaluation, such as an optimizer's update.
  /// - Precondition: a new value has the shape and type of the old one.
  public var value: Tensor {
    get { box.value }
    set {
      let value = isRecordingGradients ? newValue.stopGradient() : newValue
      box.assign(value)
      value.evaluateWithNext()
    }
  }

  /// The extents, which are constant.
  public var shape: Shape { box.shape }
  /// The type of the elements, which `Module.convert(to:)` changes.
  public var dtype: DType { box.dtype }
}

extension Statistic: Hashable {
  public static func == (left: Statistic, right: Statistic) -> Bool { left === right }
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
