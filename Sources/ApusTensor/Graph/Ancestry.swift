import ApusDevice

/// Finds the recorded values that a tensor was computed from. Model diagrams are drawn from it.
package struct Ancestry {
  /// The number of each recorded node. If several values share a node, the last number counts.
  private var places: [ObjectIdentifier: Int] = [:]
  /// Keeps the nodes alive, so that no new node reuses the `ObjectIdentifier` of a deallocated one.
  private var values: [Tensor] = []

  package init() {}

  /// Records a value under a number.
  package mutating func note(_ value: Tensor, as number: Int) {
    places[ObjectIdentifier(value.node)] = number
    values.append(value)
  }

  /// Returns the numbers of the recorded values that the tensor depends on without another recorded value in between,
  /// in ascending order, and the operations between them and the tensor, in order of creation. The search stops at
  /// materialized nodes.
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
