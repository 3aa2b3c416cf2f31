import ApusDevice

/// How tensors are computed from values in memory: the structure of the graph, its values, and its numbers (scalars
/// whose values are not part of the structure).
package struct ArgumentGraph {
  /// The structure of the graph. Graphs with equal structures differ only in their values and numbers.
  package struct Structure: Hashable, Sendable {
    fileprivate let key: PlanKey
    fileprivate let device: ObjectIdentifier?
  }

  package let structure: Structure
  /// The values in memory, in post-order: inputs before their users. They are stored as tensors, because evaluations
  /// never overwrite the memory of a value to which a tensor refers.
  let leaves: [Tensor]
  let scalars: [Scalar]
  let scalarNodes: [Node]
  /// The serials (`Node.serial`) of the values and of the numbers.
  var serials: [UInt64] { leaves.map(\.node.serial) + scalarNodes.map(\.serial) }
  /// The nodes of the tensors that the initializer gets.
  let roots: [Node]

  /// Lists the graph of tensors, which may be evaluated or pending.
  /// - Returns: `nil` if the tensors are on several devices.
  package init?(_ tensors: [Tensor]) {
    roots = tensors.map(\.node)
    guard let device = roots.first?.device else {
      structure = Structure(key: PlanKey(), device: nil)
      (leaves, scalars, scalarNodes) = ([], [], [])
      return
    }
    guard roots.allSatisfy({ $0.device === device }) else { return nil }
    var (key, leaves, scalarNodes) = (PlanKey(), [Tensor](), [Node]())
    let roots = roots
    device.withExpandedGraph { evaluator in
      let epoch = evaluator.nextEpoch()
      var (traversal, count) = (Traversal<Unmanaged<Node>>(), Int32(0))
      for root in roots {
        traversal.run(from: root, marking: epoch, passesValues: false) { vertex in
          let node = vertex.takeUnretainedValue()
          node.position = count
          count += 1
          key.append(node, isOutput: false, isInput: node.isMaterialized)
          if node.isMaterialized {
            leaves.append(Tensor(node: node))
          } else if node.isNumber {
            scalarNodes.append(node)
          }
        }
      }
      for root in roots { key.append(UInt64(truncatingIfNeeded: root.position)) }
    }
    key.finish()
    structure = Structure(key: key, device: ObjectIdentifier(device))
    (self.leaves, self.scalarNodes, scalars) = (leaves, scalarNodes, scalarNodes.map(\.attributes.number))
  }
}
