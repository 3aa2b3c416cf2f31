import ApusDevice

/// Finds the operations that must check their indices while the plan runs, and the ranges of input values that make all
/// indices valid.
struct IndexAnalysis {
  /// A range that must contain all values of an input.
  struct Requirement {
    var input: Int
    var range: ClosedRange<Int>
  }

  /// The operations that must check their indices. The indices of any other operation are known to be in range, or one
  /// of these operations checks the same indices.
  private(set) var checking: Set<Int> = []
  /// If the inputs meet these requirements, all indices are in range. Empty if none are needed, `nil` if none are
  /// known.
  private(set) var requirements: [Requirement]? = []
  /// For each integer output that only copies input values: the inputs that it copies from.
  private(set) var sources: [(output: Int, inputs: [Int])] = []

  private let nodes: [GraphNode]

  init(_ graph: GraphSnapshot) {
    nodes = graph.nodes
    findChecks()
    for (output, node) in graph.outputs.enumerated() where nodes[node].dtype.isInteger {
      if let inputs = inputs(behind: node) { sources.append((output, inputs)) }
    }
  }

  /// A read of indices into an axis of `extent` elements. The indices are copies of values of node `root`.
  private struct Reading: Hashable {
    var root: Int
    var extent: Int
  }

  private mutating func findChecks() {
    var checked: Set<Reading> = []
    for (index, node) in nodes.enumerated() {
      if case .loop(let loop) = node.kind {
        guard loop.body.readsIndices else { continue }
        checking.insert(index)
        requirements = nil
        continue
      }
      guard let use = node.indexUse, !use.label.isKnown else { continue }
      var found: [Requirement]? = []
      if use.mustAscend { found = nil }
      found = found.flatMap { _ in require(node.inputs[1], 0...max(use.extent - 1, 0)) }
      if use.extent == 0 { found = nil }
      if let found, found.isEmpty { continue }
      let (root, isWhole) = root(of: node.inputs[1])
      let reading = Reading(root: root, extent: use.extent)
      if !use.mustAscend, checked.contains(reading) { continue }
      if isWhole { checked.insert(reading) }
      checking.insert(index)
      requirements = requirements.flatMap { all in found.map { all + $0 } }
    }
  }

  /// Follows copies from `node` back to the node that the values come from, the root. Also returns whether all values
  /// of the root are known to occur in `node`.
  private func root(of node: Int) -> (node: Int, isWhole: Bool) {
    var (node, isWhole) = (node, true)
    while true {
      switch nodes[node].kind {
      case .view(let transforms):
        if !transforms.allSatisfy(\.keepsAll) { isWhole = false }
        node = nodes[node].inputs[0]
      case .step where nodes[node].op === Op.gather:
        isWhole = false
        node = nodes[node].inputs[0]
      case .elementwise where nodes[node].isIntegerCast: node = nodes[node].inputs[0]
      default: return (node, isWhole)
      }
    }
  }

  /// The requirements that put all values of `node` in `range`: empty if the values are in `range` in any case, `nil`
  /// if no requirements are known.
  private func require(_ node: Int, _ range: ClosedRange<Int>, depth: Int = 0) -> [Requirement]? {
    guard depth < 12 else { return nil }
    let found = nodes[node]
    func next(_ input: Int) -> [Requirement]? { require(found.inputs[input], range, depth: depth + 1) }
    func known(_ values: ClosedRange<Int>) -> [Requirement]? {
      range.lowerBound <= values.lowerBound && values.upperBound <= range.upperBound ? [] : nil
    }
    switch found.kind {
    case .leaf(let input): return [Requirement(input: input, range: range)]
    case .view: return next(0)
    case .constant(.integer(let value)): return known(Int(value)...Int(value))
    case .index: return known(0...max(0, found.shape.elementCount - 1))
    case .reduction(.row(.argmax)), .reduction(.row(.argmin)):
      return known(0...max(0, nodes[found.inputs[0]].shape.elementCount / max(1, found.shape.elementCount) - 1))
    case .step where found.op === Op.gather: return next(0)
    case .step where found.op === Op.argsort: return known(0...max(0, found.shape[found.shape.rank - 1] - 1))
    case .elementwise where found.isIntegerCast: return next(0)
    case .elementwise where found.op === Op.select:
      if let wrapped = require(wrapped: found, range, depth) { return wrapped }
      return next(1).flatMap { first in next(2).map { first + $0 } }
    default: return nil
    }
  }

  /// As `require`, for a `select` node that computes `x < 0 ? x + extent : x`.
  private func require(wrapped select: GraphNode, _ range: ClosedRange<Int>, _ depth: Int) -> [Requirement]? {
    let (condition, sum, value) = (nodes[select.inputs[0]], nodes[select.inputs[1]], select.inputs[2])
    guard condition.op === Op.less, condition.inputs[0] == value,
      sum.op === Op.add, sum.inputs[0] == value, range.lowerBound == 0,
      case .constant(.integer(let extent)) = nodes[sum.inputs[1]].kind, Int(extent) - 1 <= range.upperBound
    else { return nil }
    return require(value, -Int(extent)...range.upperBound, depth: depth + 1)
  }

  /// The inputs of the plan from which all values of `node` are copied; `nil` if its values are computed.
  private func inputs(behind node: Int) -> [Int]? {
    if case .leaf(let input) = nodes[root(of: node).node].kind { [input] } else { nil }
  }
}

extension GraphNode {
  /// How an operation uses its indices.
  struct IndexUse {
    var extent: Int
    /// What is known about the indices before the plan runs.
    var label: IndexLabel
    /// Whether the indices must ascend and are not known to do so.
    var mustAscend = false
  }

  /// The use of the second input as indices; `nil` for operations without indices.
  fileprivate var indexUse: IndexUse? {
    let numbers = attributes
    switch op {
    case Op.gather: return IndexUse(extent: inputTypes[0].shape[numbers.integers[0]], label: numbers.indexLabel)
    case Op.pick: return IndexUse(extent: inputTypes[0].shape[numbers.integers[0]], label: numbers.indexLabel)
    case Op.scatterAdd: return IndexUse(extent: numbers.integers[2], label: numbers.indexLabel)
    case Op.segmentSum:
      let label = numbers.indexLabel
      return IndexUse(extent: numbers.integers[0], label: label, mustAscend: !label.ascends)
    default: return nil
    }
  }

  /// Whether the node is a copy or cast of integers to `int32` or `int64`, the types of indices, that keeps all values.
  fileprivate var isIntegerCast: Bool {
    (op === Op.cast || op === Op.copy || op === Op.materialize) && (dtype == .int32 || dtype == .int64)
      && inputTypes[0].dtype.isInteger && inputTypes[0].dtype.byteCount <= dtype.byteCount
  }
}

extension LoopBody {
  /// Whether an operation of the body reads indices that may be out of range.
  fileprivate var readsIndices: Bool {
    entries.contains { entry in
      switch entry.op {
      case Op.gather, Op.pick, Op.scatterAdd, Op.segmentSum: !entry.attributes.indexLabel.isKnown
      case Op.loop: entry.attributes.loop.body.readsIndices
      default: false
      }
    }
  }
}

extension ViewTransform {
  /// Whether the view is known to contain every element of its base.
  fileprivate var keepsAll: Bool {
    switch self {
    case .broadcast(let shape): shape.elementCount > 0
    case .reshape, .transpose: true
    case .slice, .window: false
    }
  }
}

extension Op {
  fileprivate static func ~= (pattern: Op, value: Op) -> Bool { pattern === value }
}
