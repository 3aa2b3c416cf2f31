import ApusDevice

extension Tensor {
  /// The multiply-accumulate operations of the matrix products and convolutions that lead from `input` to this
  /// tensor, neither of which has been evaluated in between.
  package func multiplyAccumulates(since input: Tensor) -> Int {
    var seen: Set<ObjectIdentifier> = [ObjectIdentifier(input.node)]
    var stack = [node]
    var total = 0
    while let node = stack.popLast() {
      guard seen.insert(ObjectIdentifier(node)).inserted, !node.isMaterialized else { continue }
      total += node.multiplyAccumulates
      for index in 0..<node.inputCount { stack.append(node.input(index)) }
    }
    return total
  }
}

extension Node {
  fileprivate var multiplyAccumulates: Int {
    if case .convolution(let box) = attributes {
      let g = box.geometry
      let window = g.kernel.x * g.kernel.y * g.kernel.z * (g.inputChannels / g.groups)
      return g.batch * g.outputChannels * g.output.x * g.output.y * g.output.z * window
    }
    if op === Op.matmul { return shape.elementCount * input(0).shape[input(0).shape.rank - 1] }
    return 0
  }
}
