import ApusDevice
import Synchronization

/// What an operation that reads indices says of them beside its axis: the last of its integer attributes.
package struct IndexLabel: Hashable, Sendable {
  private static let names = Mutex<(list: [String], numbers: [String: Int])>(([], [:]))

  /// The bits: a number for the name, then the flags.
  let word: Int

  /// - Parameters:
  ///   - operation: The layer or operation that errors name, as the user wrote it.
  ///   - countsFromEnd: Whether indices below zero had the extent added.
  ///   - isKnown: Whether all are in range by the way they are made.
  ///   - ascends: Whether they ascend by the way they are made.
  package init(_ operation: String, countsFromEnd: Bool = false, isKnown: Bool = false, ascends: Bool = false) {
    let number = Self.names.withLock { names in
      if let number = names.numbers[operation] { return number }
      names.list.append(operation)
      names.numbers[operation] = names.list.count - 1
      return names.list.count - 1
    }
    word = number << 3 | (ascends ? 4 : 0) | (isKnown ? 2 : 0) | (countsFromEnd ? 1 : 0)
  }

  init(word: Int) { self.word = word }

  var operation: String { Self.names.withLock { $0.list[word >> 3] } }
  var countsFromEnd: Bool { word & 1 != 0 }
  var isKnown: Bool { word & 2 != 0 }
  var ascends: Bool { word & 4 != 0 }

  /// What a step is told, for indices of a shape.
  func indexing(_ shape: Shape) -> Indexing {
    Indexing(operation: operation, shape: shape, countsFromEnd: countsFromEnd, isKnown: isKnown)
  }
}

extension Attributes {
  /// What the operation says of its indices.
  var indexLabel: IndexLabel { IndexLabel(word: integers[integers.count - 1]) }
}

extension Step {
  /// The step where others of the plan have looked at its indices.
  func withKnownIndices() -> Step {
    switch self {
    case .gather(var step):
      step.indexing.isKnown = true
      return .gather(step)
    case .scatterAdd(var step):
      step.indexing.isKnown = true
      return .scatterAdd(step)
    default: return self
    }
  }
}
