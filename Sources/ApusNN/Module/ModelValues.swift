import ApusTensor

/// The values of a model's parameters and statistics at one time. Unlike the model, `ModelValues` has value semantics:
/// the values can be stored, averaged and used again, and gradients with respect to them can be computed.
public struct ModelValues: Sendable {
  private let state: ModelState
  /// The tensors, in the order of `keys`, each in the shape and type of its parameter or statistic.
  public private(set) var tensors: [Tensor]

  init(_ state: ModelState) {
    self.state = state
    tensors = state.entries.map(\.value)
  }

  /// The keys, in declaration order.
  public var keys: [String] { state.entries.map(\.key) }

  /// The value under a key, in the shape and type of the parameter or statistic; `nil` if there is no such key.
  public subscript(key: String) -> Tensor? {
    state.entries.firstIndex { $0.key == key }.map { tensors[$0] }
  }

  /// Applies `transform` to each value and its index.
  /// - Precondition: `transform` keeps shape and type; `store()` checks this.
  public func mapped(_ transform: (_ index: Int, _ value: Tensor) throws -> Tensor) rethrows -> ModelValues {
    var result = self
    for index in tensors.indices { result.tensors[index] = try transform(index, tensors[index]) }
    return result
  }

  /// Assigns these values to the model they were taken from.
  public func store() {
    for (entry, tensor) in zip(state.entries, tensors) { entry.assign(tensor) }
  }

  fileprivate var byBox: [ObjectIdentifier: Tensor] {
    Dictionary(
      zip(state.entries.map { ObjectIdentifier($0.box) }, tensors), uniquingKeysWith: { first, _ in first })
  }
}

extension Module {
  /// The current values of parameters and statistics.
  public var values: ModelValues { ModelValues(state) }
}

/// Runs `body` with `values` in the model that they were taken from.
///
/// Values that `body` assigns to parameters and statistics are visible inside `body` and discarded at its end.
public func withValues<R>(_ values: ModelValues, _ body: () throws -> R) rethrows -> R {
  try Substitution.run(values.byBox, body)
}
