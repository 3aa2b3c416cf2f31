import ApusDevice

extension Planner {
  /// A value that at least this many consecutive operations compute from random words (results of `Op.randomBits`) is
  /// stored, not recomputed at each use.
  private static let maximumRecomputationDepth = 4

  /// Finds random words, and short computations on them, that only programs (fused elementwise code) read. Each of
  /// these programs recomputes them, so a dropout mask is stored neither for the forward pass nor for gradients.
  /// Widened copies of narrow inputs are not stored either, because loads convert them.
  mutating func findRecomputed() {
    isRecomputed = Array(repeating: false, count: nodes.count)
    var depths = Array(repeating: 0, count: nodes.count)
    for node in topologicalOrder() {
      guard case .elementwise = nodes[node].kind, !isOutput[node], isReadByPrograms(node) else { continue }
      if isWideningLoad(node) {
        depths[node] = Planner.maximumRecomputationDepth - 1
      } else if nodes[node].op === Op.randomBits {
        guard nodes[node].inputs.allSatisfy({ isIndex($0) || isUniform($0) }) else { continue }
      } else {
        // A value computed from several random values is stored: each use would compute the random words of all of
        // them.
        let inputs = Set(nodes[node].inputs.filter { !isUniform($0) })
        guard inputs.count == 1, let input = inputs.first, isRecomputed[input], nodes[input].shape == nodes[node].shape
        else { continue }
        depths[node] = depths[input] + 1
      }
      isRecomputed[node] = depths[node] < Planner.maximumRecomputationDepth
    }
  }

  /// Whether a node is a cast of a plan input to the arithmetic type (lane) of the input.
  private func isWideningLoad(_ node: Int) -> Bool {
    guard nodes[node].op === Op.cast, case .leaf = nodes[nodes[node].inputs[0]].kind else { return false }
    return nodes[nodes[node].inputs[0]].dtype.lane.dtype == nodes[node].dtype
  }

  /// Whether all users of a node are reductions, or elementwise operations of the node's shape.
  private func isReadByPrograms(_ node: Int) -> Bool {
    users[node].allSatisfy { user in
      switch nodes[user].kind {
      case .elementwise: nodes[user].shape == nodes[node].shape
      case .reduction: true
      default: false
      }
    }
  }

  /// The nodes that a member (node) of a program reads. A recomputed input is replaced by the nodes that it reads.
  func reads(of member: Int) -> [Int] {
    nodes[member].inputs.flatMap { isRecomputed[$0] ? reads(of: $0) : [$0] }
  }
}
