import ApusDevice

extension Planner {
  /// The most operations on random words that are done again where their result is read.
  private static let maximumDrawnDepth = 4

  /// Finds random words, and what little is computed of them alone, that only programs read: each of those draws them
  /// again, so that the mask of a dropout is never stored, neither for the programs that follow nor for gradients. Inputs
  /// of half width that are widened are not stored a second time either: loads do that.
  mutating func findDrawn() {
    isDrawn = Array(repeating: false, count: nodes.count)
    var depths = Array(repeating: 0, count: nodes.count)
    for node in topologicalOrder() {
      guard case .elementwise = nodes[node].kind, !isOutput[node], isReadByPrograms(node) else { continue }
      if isWideningLoad(node) {
        depths[node] = Planner.maximumDrawnDepth - 1
      } else if nodes[node].op === Op.randomBits {
        guard nodes[node].inputs.allSatisfy({ isIndex($0) || isUniform($0) }) else { continue }
      } else {
        // What is computed of several draws would be long to repeat.
        let inputs = Set(nodes[node].inputs.filter { !isUniform($0) })
        guard inputs.count == 1, let input = inputs.first, isDrawn[input], nodes[input].shape == nodes[node].shape
        else { continue }
        depths[node] = depths[input] + 1
      }
      isDrawn[node] = depths[node] < Planner.maximumDrawnDepth
    }
  }

  /// Whether a node is an input of the plan as numbers of its lane.
  private func isWideningLoad(_ node: Int) -> Bool {
    guard nodes[node].op === Op.cast, case .leaf = nodes[nodes[node].inputs[0]].kind else { return false }
    return nodes[nodes[node].inputs[0]].dtype.lane.dtype == nodes[node].dtype
  }

  /// Whether all that reads a node are programs over its shape.
  private func isReadByPrograms(_ node: Int) -> Bool {
    users[node].allSatisfy { user in
      switch nodes[user].kind {
      case .elementwise: nodes[user].shape == nodes[node].shape
      case .reduction: true
      default: false
      }
    }
  }

  /// What a member of a program reads, for itself and for the drawn nodes that it computes.
  func reads(of member: Int) -> [Int] {
    nodes[member].inputs.flatMap { isDrawn[$0] ? reads(of: $0) : [$0] }
  }
}
