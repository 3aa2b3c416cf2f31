/// What is known of the indices of a gather or scatter beside where they lie.
public struct Indexing: Hashable, Sendable {
  /// The layer or operation that errors name, as the user wrote it; `nil` for the step's own names.
  public var operation: String?
  /// The shape of the tensor of indices, for the positions in errors; `nil` for a list.
  public var shape: Shape?
  /// Whether indices below zero had the extent added: those of errors are the user's again.
  public var countsFromEnd: Bool
  /// Whether the indices are in range whatever the inputs are, or an earlier step of the plan reads the same ones.
  public var isKnown: Bool

  /// What is known of some indices; nothing, when all is left out.
  public init(
    operation: String? = nil, shape: Shape? = nil, countsFromEnd: Bool = false, isKnown: Bool = false
  ) {
    self.operation = operation
    self.shape = shape
    self.countsFromEnd = countsFromEnd
    self.isKnown = isKnown
  }
}

/// An index outside its axis, or an id below the one before it where they have to ascend.
public struct IndexFault: Hashable, Sendable {
  /// The index as the user gave it.
  public var value: Int
  /// Where it lies in the tensor of indices.
  public var position: [Int]
  /// The extent of the axis.
  public var extent: Int
  /// Whether indices below zero count from the end.
  public var countsFromEnd: Bool
  /// The id ahead of one that is in range but out of order.
  public var previous: Int?

  /// A fault from its parts.
  public init(value: Int, position: [Int], extent: Int, countsFromEnd: Bool = false, previous: Int? = nil) {
    self.value = value
    self.position = position
    self.extent = extent
    self.countsFromEnd = countsFromEnd
    self.previous = previous
  }
}

extension IndexFault: CustomStringConvertible {
  public var description: String {
    if let previous {
      return "id \(value) at \(position) is below \(previous), the one ahead of it; sort the rows by their ids first"
    }
    return "index \(value) at \(position) is not in \(countsFromEnd ? -extent : 0) ..< \(extent)"
  }
}

/// The indices that a step reads.
package struct IndexList: Sendable {
  /// Where they lie, over `[outer, count, inner]`.
  package let indices: Operand
  package let extent: Int
  package let isSorted: Bool
  package let indexing: Indexing

  /// How many numbers have to be in memory for all indices to be.
  package var reach: Int {
    let layout = indices.layout
    guard layout.shape.elementCount > 0 else { return 0 }
    return layout.offset + 1 + zip(layout.shape, layout.strides).reduce(0) { $0 + ($1.0 - 1) * $1.1 }
  }

  /// The first index, in their order, that is out of range or out of order.
  /// - Parameter read: The number at a position of the value.
  package func firstFault(_ read: (Int) -> Int) -> IndexFault? {
    let layout = indices.layout
    let isShared = layout.strides[2] == 0
    for outer in 0..<layout.shape[0] {
      for place in 0..<layout.shape[1] {
        for column in 0..<(isShared ? min(1, layout.shape[2]) : layout.shape[2]) {
          let offset = outer * layout.strides[0] + place * layout.strides[1] + column * layout.strides[2]
          let index = read(layout.offset + offset)
          if !(0..<extent).contains(index) { return fault(index, at: offset) }
          guard isSorted, place > 0 else { continue }
          let previous = read(layout.offset + offset - layout.strides[1])
          if previous > index { return fault(index, at: offset, previous: previous) }
        }
      }
    }
    return nil
  }

  private func fault(_ index: Int, at offset: Int, previous: Int? = nil) -> IndexFault {
    let wraps = indexing.countsFromEnd && index < 0
    return IndexFault(
      value: wraps ? index &- extent : index, position: position(offset), extent: extent,
      countsFromEnd: indexing.countsFromEnd, previous: previous)
  }

  private func position(_ offset: Int) -> [Int] {
    guard let shape = indexing.shape, shape.elementCount > offset else { return [offset] }
    return zip(shape, shape.contiguousStrides).map { offset / max($1, 1) % max($0, 1) }
  }
}

extension Gather {
  package var indexList: IndexList {
    IndexList(indices: indices, extent: extent, isSorted: false, indexing: indexing)
  }
}

extension ScatterAdd {
  package var indexList: IndexList {
    IndexList(indices: indices, extent: extent, isSorted: isSorted, indexing: indexing)
  }
}

extension Step {
  /// Whether the step may meet an index that it cannot follow.
  package var mayFault: Bool {
    switch self {
    case .gather(let step): !step.indexing.isKnown
    case .scatterAdd(let step): !step.indexing.isKnown
    case .loop(let step): step.body.steps.contains { $0.step.mayFault }
    default: false
    }
  }
}

extension Plan {
  /// How many steps have run when all indices have been found to be in range.
  package var checkedStepCount: Int { (steps.lastIndex { $0.step.mayFault } ?? -1) + 1 }

  /// How many steps run ahead of the first that writes to a donated input. A plan from the planner checks its indices
  /// before.
  package var preservingStepCount: Int {
    steps.firstIndex { planned in
      planned.step.results.contains { value in
        if case .output(let output) = values[value].storage { outputs[output].donatedInput != nil } else { false }
      }
    } ?? steps.count
  }
}
