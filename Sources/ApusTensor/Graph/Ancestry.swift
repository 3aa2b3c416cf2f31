import ApusSystem
import ApusDevice

/// Finds the recorded values that a tensor was computed from; the basis of model diagrams.
package struct Ancestry {
  /// The number under which each node was recorded. If several values share a node, this is the last of their numbers.
  private var recorded: [ObjectIdentifier: Int] = [:]
  /// The recorded values. They keep their nodes alive, so that no new node reuses the `ObjectIdentifier` of a
  /// deallocated one.
  private var values: [Tensor] = []

  package init() {}

  /// Records a value under a number.
  package mutating func note(_ value: Tensor, as number: Int) {
    recorded[ObjectIdentifier(value.node)] = number
    values.append(value)
  }

  /// Searches the graph from the tensor back to recorded values and materialized nodes, and no further. Returns the
  /// numbers of the recorded values that the search reaches, in ascending order. Also returns the names of the
  /// operations on the way, in order of creation, without those that have no inputs.
  package func sources(of tensor: Tensor) -> (numbers: [Int], operations: [String]) {
    var numbers: Set<Int> = []
    var found: [(serial: UInt64, name: String)] = []
    tensor.device.withExpandedGraph { _ in
      var traversal = NodeTraversal()
      let isEnd = { (node: Node) in node.isMaterialized || recorded[ObjectIdentifier(node)] != nil }
      traversal.run(from: tensor.node, until: isEnd) { node in
        if let number = recorded[ObjectIdentifier(node)] {
          numbers.insert(number)
        } else if !node.isMaterialized, node.inputCount > 0 {
          found.append((node.serial, node.op.name))
        }
      }
    }
    let operations = found.sortedArray { $0.serial < $1.serial }.map(\.name)
    return (numbers.sorted(), operations)
  }
}
