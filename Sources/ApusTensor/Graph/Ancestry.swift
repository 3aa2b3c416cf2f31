import ApusDevice

/// Which values tensors were made from: the ground of drawings of models.
package struct Ancestry {
  /// What was noted, by the node of its value; of values that share one the last.
  private var places: [ObjectIdentifier: Int] = [:]
  /// Keeps the nodes, so that no other one takes the place of one that is gone.
  private var values: [Tensor] = []

  package init() {}

  /// Notes a value under a number.
  package mutating func note(_ value: Tensor, as number: Int) {
    places[ObjectIdentifier(value.node)] = number
    values.append(value)
  }

  /// The noted values that lead to a tensor with no other noted one in between, rising, and the operations on the way
  /// from them, those next to the tensor last. Neither what was evaluated nor what the values were made from is looked at.
  package func sources(of tensor: Tensor) -> (numbers: [Int], operations: [String]) {
    var numbers: Set<Int> = []
    var found: [(serial: UInt64, name: String)] = []
    var seen: Set<ObjectIdentifier> = []
    var stack = [tensor.node]
    while let node = stack.popLast() {
      guard seen.insert(ObjectIdentifier(node)).inserted else { continue }
      if let number = places[ObjectIdentifier(node)] {
        numbers.insert(number)
        continue
      }
      guard !node.isMaterialized, node.inputCount > 0 else { continue }
      found.append((node.serial, node.op.name))
      for index in 0..<node.inputCount { stack.append(node.input(index)) }
    }
    let operations = found.sorted { $0.serial < $1.serial }.map(\.name)
    return (numbers.sorted(), operations)
  }
}
