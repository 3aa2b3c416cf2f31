import ApusDevice

/// The pending operations that `tensors` depend on, inputs first: each with its name and its result.
///
/// Holding the results makes every intermediate value an output of the next evaluation, which is how two
/// devices are compared operation by operation.
public func pendingOperations(of tensors: [Tensor]) -> [(name: String, result: Tensor)] {
  var result: [(name: String, result: Tensor)] = []
  var seen = Set<ObjectIdentifier>()
  for root in tensors where seen.insert(ObjectIdentifier(root.node)).inserted {
    var stack: [(node: Node, next: Int)] = [(root.node, 0)]
    while let (node, next) = stack.last {
      if !node.isMaterialized, next < node.inputCount {
        stack[stack.count - 1].next = next + 1
        let input = node.input(next)
        if seen.insert(ObjectIdentifier(input)).inserted { stack.append((input, 0)) }
      } else {
        stack.removeLast()
        if !node.isMaterialized { result.append((node.op.name, Tensor(node: node))) }
      }
    }
  }
  return result
}
