import ApusDevice

/// Which indices of a graph have to be looked at while its plan runs, and which of its inputs would have to hold
/// what numbers for none to be wrong.
struct IndexAnalysis {
  /// A range that all numbers of an input have to be in.
  struct Requirement {
    var input: Int
    var range: ClosedRange<Int>
  }

  /// The operations whose indices may be wrong. What others read is in range, or the same as one of these reads.
  private(set) var checking: Set<Int> = []
  /// What suffices for all indices to be in range; `nil` where no property of the inputs does.
  private(set) var requirements: [Requirement]? = []
  /// For each output of integers the inputs that its numbers come from, where they are copies of such.
  private(set) var sources: [(output: Int, inputs: [Int])] = []

  private let nodes: [GraphNode]

  init(_ graph: GraphSnapshot) {
    nodes = graph.nodes
    findChecks()
    for (output, node) in graph.outputs.enumerated() where nodes[node].dtype.isInteger {
      if let inputs = inputs(behind: node) { sources.append((output, inputs)) }
    }
  }

  /// What is read: all numbers of `root`, or some of them.
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

  /// The node whose numbers those of `node` are among, and whether all of them are.
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

  /// What makes all numbers of `node` lie in `range`, or `nil`.
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

  /// As `require`, for `x < 0 ? x + extent : x`.
  private func require(wrapped select: GraphNode, _ range: ClosedRange<Int>, _ depth: Int) -> [Requirement]? {
    let (sum, value) = (nodes[select.inputs[1]], select.inputs[2])
    guard sum.op === Op.add, sum.inputs[0] == value, range.lowerBound == 0,
      case .constant(.integer(let extent)) = nodes[sum.inputs[1]].kind, Int(extent) - 1 <= range.upperBound
    else { return nil }
    return require(value, -Int(extent)...range.upperBound, depth: depth + 1)
  }

  /// The inputs that hold all numbers of a node, or `nil`.
  private func inputs(behind node: Int) -> [Int]? {
    if case .leaf(let input) = nodes[root(of: node).node].kind { [input] } else { nil }
  }
}

extension GraphNode {
  /// The indices that an operation reads.
  struct IndexUse {
    var extent: Int
    var label: IndexLabel
    /// Whether they have to ascend, and are not known to.
    var mustAscend = false
  }

  /// What is read of the indices, the second input; `nil` for other operations.
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

  /// Whether the node has its input's integers, with indices unchanged.
  fileprivate var isIntegerCast: Bool {
    (op === Op.cast || op === Op.copy || op === Op.materialize) && (dtype == .int32 || dtype == .int64)
      && inputTypes[0].dtype.isInteger
  }
}

extension LoopBody {
  /// Whether an operation of the body reads indices that may be wrong.
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
  /// Whether all elements are still seen.
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
