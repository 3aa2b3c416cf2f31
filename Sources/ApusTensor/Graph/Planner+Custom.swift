import ApusDevice

extension Planner {
  /// Lists the result nodes of user-defined operations. Adds nodes for unused results, because the kernels write them
  /// too.
  mutating func listCustomResults() {
    indexUsers()
    for node in topologicalOrder() {
      guard case .custom(let call) = nodes[node].kind else { continue }
      var results: [Int?] = Array(repeating: nil, count: call.results.types.count)
      for user in users[node] {
        if case .result(let number) = nodes[user].kind { results[number] = user }
      }
      customResults[node] = results.enumerated().map { number, result in
        result ?? appendResult(number, of: node, call.results.types[number])
      }
    }
  }

  /// The step (entry of a plan) that runs a user-defined operation. The step refers to each value by the index of the
  /// value's node.
  func step(ofCustom node: Int) -> Step {
    guard let results = customResults[node], case .custom(let call) = nodes[node].kind else {
      fatalError("planner: \(nodes[node].op.name) has no results")
    }
    return .custom(
      Custom(
        kernel: call.operation.kernel, count: call.count, sizes: call.sizes,
        inputs: nodes[node].inputs.map { operand($0, over: nodes[$0].shape).value }, results: results))
  }
}

extension GraphNode {
  /// The name of the node's operation in plans; user-defined operations have their own names.
  var name: String {
    guard case .custom(let call) = attributes else { return op.name }
    return call.operation.name
  }
}
