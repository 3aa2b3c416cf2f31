import ApusDevice
import ApusSystem

extension Tensor {
  /// The number of multiply-accumulate operations (`multiplyAdds` in ApusDevice) in the matrix products, convolutions,
  /// attention and recurrent operations that compute this tensor; `Int.max` on overflow. The search for operations
  /// stops at `input` and at materialized nodes.
  package func multiplyAccumulates(since input: Tensor) -> Int {
    func isEnd(_ node: Node) -> Bool { node.isMaterialized || node === input.node }
    return device.withExpandedGraph { _ in
      var total = 0
      var traversal = NodeTraversal()
      traversal.run(from: node, until: isEnd) { node in
        guard !isEnd(node) else { return }
        total = total.saturatingSum(node.multiplyAccumulates)
      }
      return total
    }
  }
}

extension Node {
  fileprivate var multiplyAccumulates: Int {
    if case .loop(let loop) = attributes { return loop.body.multiplyAccumulates }
    return ApusTensor.multiplyAccumulates(op, attributes, shape) { input($0).shape }
  }
}

extension LoopBody {
  /// The number of multiply-accumulate operations of all iterations of the loop.
  fileprivate var multiplyAccumulates: Int {
    var once = 0
    for entry in entries.dropFirst(parameterCount) {
      let own: Int
      if case .loop(let inner) = entry.attributes {
        own = inner.body.multiplyAccumulates
      } else {
        own = ApusTensor.multiplyAccumulates(entry.op, entry.attributes, entry.type.shape) {
          entries[entry.inputs[$0]].type.shape
        }
      }
      once = once.saturatingSum(own)
    }
    return once.saturatingProduct(count)
  }
}

/// The number of multiply-accumulate operations of one operation with a result of `shape`.
private func multiplyAccumulates(
  _ op: Op, _ attributes: Attributes, _ shape: Shape, _ input: (Int) -> Shape
) -> Int {
  if case .convolution(let box) = attributes { return box.geometry.multiplyAdds }
  // Masked elements of attention count too.
  if op === Op.attention { return Attention.Geometry(input(0), input(1), input(2)).multiplyAdds(.forward) }
  if op === Op.recurrent { return Op.recurrentGeometry(attributes, state: input(1)).multiplyAdds }
  guard op === Op.matmul, let inner = input(0).last else { return 0 }
  return Matmul.multiplyAdds(results: shape.elementCount, terms: inner)
}
