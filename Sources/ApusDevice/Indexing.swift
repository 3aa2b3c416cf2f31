/// The properties of the indices of a gather or scatter, in addition to their layout.
public struct Indexing: Hashable, Sendable {
  /// The layer or operation that the user called, which errors name; if `nil`, errors name the operations of the step.
  public var operation: String?
  /// The shape of the index tensor, in which errors report the position of an index; if `nil`, errors report the offset
  /// of the index.
  public var shape: Shape?
  /// Whether the extent of the indexed axis was added to negative indices; errors report the original index.
  public var countsFromEnd: Bool
  /// Whether the indices need no check: they are in range for all inputs, or an earlier step of the plan checks the
  /// same indices.
  public var isKnown: Bool

  /// Creates the properties; by default, nothing is known about the indices.
  public init(
    operation: String? = nil, shape: Shape? = nil, countsFromEnd: Bool = false, isKnown: Bool = false
  ) {
    self.operation = operation
    self.shape = shape
    self.countsFromEnd = countsFromEnd
    self.isKnown = isKnown
  }
}

/// An index out of range, or a segment id that is smaller than its predecessor, although segment ids must ascend.
public struct IndexFault: Hashable, Sendable {
  /// The index as the user passed it.
  public var value: Int
  /// The position of the index in the index tensor; `[offset]` if the shape of the index tensor is not known.
  public var position: [Int]
  /// The extent of the indexed axis.
  public var extent: Int
  /// Whether negative indices count from the end.
  public var countsFromEnd: Bool
  /// The predecessor of a segment id that is in range but out of order; else `nil`.
  public var previous: Int?

  /// Creates a fault from its fields.
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
      return "id \(value) at \(position) is below its predecessor \(previous); sort the rows by their ids first"
    }
    return "index \(value) at \(position) is not in \(countsFromEnd ? -extent : 0) ..< \(extent)"
  }
}

/// The indices that a step reads.
package struct IndexList: Sendable {
  /// The operand that contains the indices, with a layout of shape `[outer, count, inner]`.
  package let indices: Operand
  package let extent: Int
  package let isSorted: Bool
  package let indexing: Indexing

  /// The number of elements from the start of the value that contains the indices, up to and including the last index.
  package var reach: Int {
    let layout = indices.layout
    guard layout.shape.elementCount > 0 else { return 0 }
    return layout.offset + 1 + zip(layout.shape, layout.strides).reduce(0) { $0 + ($1.0 - 1) * $1.1 }
  }

  /// The first index in row-major order that is out of range or out of order.
  /// - Parameter read: returns the index at an offset, in elements, from the start of the value that contains the
  ///   indices.
  package func firstFault(_ read: (Int) -> Int) -> IndexFault? {
    let layout = indices.layout
    let isShared = layout.strides[2] == 0
    for outer in 0..<layout.shape[0] {
      for entry in 0..<layout.shape[1] {
        for column in 0..<(isShared ? min(1, layout.shape[2]) : layout.shape[2]) {
          let offset = outer * layout.strides[0] + entry * layout.strides[1] + column * layout.strides[2]
          let index = read(layout.offset + offset)
          if !(0..<extent).contains(index) { return fault(index, at: offset) }
          guard isSorted, entry > 0 else { continue }
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
  /// Whether the step may encounter an invalid index.
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
  /// The number of steps up to and including the last step that checks indices.
  package var checkedStepCount: Int { (steps.lastIndex { $0.step.mayFault } ?? -1) + 1 }

  /// The number of steps before the first step that writes to a donated input. The planner puts all checks of indices
  /// before that step.
  package var preservingStepCount: Int {
    steps.firstIndex { planned in
      planned.step.results.contains { value in
        if case .output(let output) = values[value].storage { outputs[output].donatedInput != nil } else { false }
      }
    } ?? steps.count
  }
}
