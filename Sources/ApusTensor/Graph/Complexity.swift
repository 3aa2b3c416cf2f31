import ApusDevice

extension Tensor {
  /// The multiply-accumulate operations of the matrix products and convolutions that lead from `input` to this
  /// tensor, neither of which has been evaluated in between; `Int.max` for more than there are numbers.
  package func multiplyAccumulates(since input: Tensor) -> Int {
    var seen: Set<ObjectIdentifier> = [ObjectIdentifier(input.node)]
    var stack = [node]
    var total = 0
    while let node = stack.popLast() {
      guard seen.insert(ObjectIdentifier(node)).inserted, !node.isMaterialized else { continue }
      let (sum, overflow) = total.addingReportingOverflow(node.multiplyAccumulates)
      total = overflow ? .max : sum
      for index in 0..<node.inputCount { stack.append(node.input(index)) }
    }
    return total
  }
}

extension Node {
  fileprivate var multiplyAccumulates: Int {
    if case .convolution(let box) = attributes { return box.geometry.multiplyAdds }
    guard op === Op.matmul else { return 0 }
    let (product, overflow) = shape.elementCount.multipliedReportingOverflow(
      by: input(0).shape[input(0).shape.rank - 1])
    return overflow ? .max : product
  }
}
