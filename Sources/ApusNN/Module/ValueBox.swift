import ApusTensor
import Synchronization

/// Mutable storage of a value, used by `Parameter` and `Statistic`.
///
/// `withValues` temporarily substitutes another value without changing the box.
final class ValueBox: Sendable {
  private let stored: Mutex<Tensor>
  let shape: Shape

  init(_ value: Tensor) {
    stored = Mutex(value)
    shape = value.shape
  }

  /// The type of the stored value, which only `convert(to:)` changes.
  var dtype: DType { stored.withLock { $0.dtype } }

  /// The value that code in the current Swift task sees.
  var value: Tensor { Substitution.current?[self] ?? stored.withLock { $0 } }

  /// The stored value, ignoring `withValues`.
  var storedValue: Tensor {
    get { stored.withLock { $0 } }
    set {
      check(newValue)
      stored.withLock { $0 = newValue }
    }
  }

  /// Calls `body` with the stored value. A new value must have the shape and type of the old one.
  func withStoredValue(_ body: (inout Tensor) -> Void) { stored.withLock { body(&$0) } }

  /// Replaces the substituted value if there is one, otherwise the stored value.
  func assign(_ newValue: Tensor) {
    check(newValue)
    if let substitution = Substitution.current, substitution[self] != nil {
      substitution[self] = newValue
    } else {
      stored.withLock { $0 = newValue }
    }
  }

  /// Converts the stored value to another type. A substituted value stays unchanged.
  func convert(to dtype: DType) {
    stored.withLock { value in
      guard value.dtype != dtype else { return }
      value = value.cast(to: dtype)
      if isRecordingGradients { value = value.stopGradient() }
    }
  }

  private func check(_ newValue: Tensor) {
    let dtype = dtype
    guard newValue.shape == shape, newValue.dtype == dtype else {
      fatalError(
        "a \(dtype) value of shape \(shape) cannot become a \(newValue.dtype) value of shape \(newValue.shape)")
    }
  }
}

/// Values that temporarily replace the values of boxes.
final class Substitution: Sendable {
  @TaskLocal private static var taskLocal: Substitution?
  private static let active = Atomic<Int>(0)
  private let tensors: Mutex<[ObjectIdentifier: Tensor]>
  private let outer: Substitution?

  /// The innermost substitution of the Swift task. While no substitution is active in the process, reading this
  /// property costs one load.
  static var current: Substitution? {
    active.load(ordering: .relaxed) == 0 ? nil : taskLocal
  }

  init(_ tensors: [ObjectIdentifier: Tensor], outer: Substitution?) {
    self.tensors = Mutex(tensors)
    self.outer = outer
  }

  subscript(box: ValueBox) -> Tensor? {
    get { tensors.withLock { $0[ObjectIdentifier(box)] } ?? outer?[box] }
    set { tensors.withLock { $0[ObjectIdentifier(box)] = newValue } }
  }

  static func run<R>(_ tensors: [ObjectIdentifier: Tensor], _ body: () throws -> R) rethrows -> R {
    active.add(1, ordering: .relaxed)
    defer { active.subtract(1, ordering: .relaxed) }
    return try $taskLocal.withValue(Substitution(tensors, outer: taskLocal), operation: body)
  }
}
