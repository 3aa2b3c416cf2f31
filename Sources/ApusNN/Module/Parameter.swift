import ApusTensor
import Synchronization

/// A trained value of a model.
///
/// A parameter is a reference: layers that hold the same one share their weights, gradients and optimizer
/// state are found by it, and setting `isTrainable` freezes it wherever it is used.
public final class Parameter: Sendable {
  let cell: TensorCell
  private let trainable: Atomic<Bool>
  /// Whether optimizers change those rows alone that the loss looks up, with their part of the rule's tensors, as PyTorch
  /// does with `sparse=True`. All others stay as they are, whatever momentum or weight decay they would have; an update
  /// costs what its rows do. Gradients that were evaluated ahead of the update, as accumulated ones are, and those with
  /// other parts than lookups cost what the whole parameter does: there the rows count that have a number other than 0.
  public let updatesRows: Bool

  /// A parameter that starts as `value`.
  public init(_ value: Tensor, isTrainable: Bool = true, updatesRows: Bool = false) {
    self.updatesRows = updatesRows
    cell = TensorCell(value)
    trainable = Atomic(isTrainable)
  }

  /// The value; inside `withValues` the one given there.
  /// - Precondition: a new value has the shape and type of the old one.
  public var value: Tensor {
    get {
      ParameterReads.current?.add(self)
      return cell.value
    }
    set { cell.assign(newValue) }
  }

  /// The extents, which never change.
  public var shape: Shape { cell.shape }
  /// The type of the elements, which `Module.convert(to:)` changes.
  public var dtype: DType { cell.dtype }

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

/// A running value of a model that is not trained, such as the mean of a batch norm (PyTorch's buffer).
public final class Statistic: Sendable {
  let cell: TensorCell

  /// A statistic that starts as `value`.
  public init(_ value: Tensor) { cell = TensorCell(value) }

  /// The value; inside `withValues` the one given there.
  ///
  /// A value that is assigned is computed in the plan of the step, without a gradient.
  /// - Precondition: a new value has the shape and type of the old one.
  public var value: Tensor {
    get { cell.value }
    set {
      let value = isRecordingGradients ? newValue.stopGradient() : newValue
      cell.assign(value)
      value.evaluateWithNext()
    }
  }

  /// The extents, which never change.
  public var shape: Shape { cell.shape }
  /// The type of the elements, which `Module.convert(to:)` changes.
  public var dtype: DType { cell.dtype }
}

extension Statistic: Hashable {
  public static func == (left: Statistic, right: Statistic) -> Bool { left === right }
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
