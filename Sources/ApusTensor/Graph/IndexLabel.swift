import ApusDevice
import Synchronization

/// Properties of the index tensor that an operation reads, encoded as the last integer attribute of the operation.
package struct IndexLabel: Hashable, Sendable {
  private static let names = Mutex<(list: [String], numbers: [String: Int])>(([], [:]))

  /// The encoding: the index of the operation's name in `names`, shifted left by 3, and three flags in the low bits.
  let word: Int

  /// - Parameters:
  ///   - operation: the name of the layer or operation for error messages, as in the user's code.
  ///   - countsFromEnd: whether the extent of the indexed axis was added to negative indices.
  ///   - isKnown: whether all indices are in range by construction.
  ///   - ascends: whether the indices ascend by construction.
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

  /// The description of the indices for a step of a plan; `shape` is the shape of the index tensor.
  func indexing(_ shape: Shape) -> Indexing {
    Indexing(operation: operation, shape: shape, countsFromEnd: countsFromEnd, isKnown: isKnown)
  }
}

extension Attributes {
  /// The properties of the operation's indices.
  var indexLabel: IndexLabel { IndexLabel(word: integers[integers.count - 1]) }
}

extension Step {
  /// The same step; if it is a gather or a scatter-add, without index checks.
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
