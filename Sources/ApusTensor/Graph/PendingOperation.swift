import ApusDevice

/// An operation that was not yet evaluated when `pendingOperations(of:)` listed it.
public struct PendingOperation: Sendable {
  /// The operation's name, for example `matmul`.
  public let name: String
  /// The operands, in order, each in its own shape.
  public let inputs: [Tensor]
  /// The result, in the operation's shape, which was pending when the operation was listed.
  public let result: Tensor
  /// The node of the operation, if `result` is one of several results. After evaluation, the result no longer refers to
  /// this node.
  private let whole: Node?

  /// How far the results of two correct implementations may differ.
  public enum Accuracy: Hashable, Sendable {
    /// Not at all: the operation moves, compares or selects values.
    case exact
    /// By the rounding of an elementwise function.
    case elementwise
    /// By the rounding of sums of `termCount` terms, in any order.
    case sum(termCount: Int)
    /// By the rounding of sums of about `termCount` terms that may cancel; the difference is relative to the largest
    /// element of the result.
    case composed(termCount: Int)
  }

  /// The allowed difference for this kind of operation.
  public var accuracy: Accuracy {
    let count = max(1, result.elementCount)
    switch result.node.op.lower {
    case .leaf, .scalar, .constant, .index, .view: return .exact
    case .elementwise: return .elementwise
    case .reduction(let reducer):
      guard [.row(.sum), .row(.product), .squaresOfCentered].contains(reducer) else { return .exact }
      return .sum(termCount: max(1, inputs[0].elementCount / count))
    case .result, .loop, .customGradientResults, .custom, .deferred:
      // A loop accumulates over its iterations; each element may depend on all inputs.
      return .sum(termCount: max(1, inputs.reduce(0) { $0 + $1.elementCount }))
    case .step where [Op.recurrent, .recurrentGradient, .attentionGradient].contains { $0 === result.node.op }:
      return .composed(termCount: max(1, inputs.reduce(0) { $0 + $1.elementCount }))
    case .step:
      guard result.dtype.isFloatingPoint else { return .exact }
      guard inputs.count > 1 else { return .sum(termCount: max(1, inputs.first?.elementCount ?? 1)) }
      // The product of an m × k and a k × n matrix has sums of k = √((m·k · k·n) / (m·n)) terms. This number is also
      // about right for other steps.
      let factors = inputs.prefix(2).reduce(1.0) { $0 * Double(max(1, $1.elementCount)) }
      return .sum(termCount: max(1, Int((factors / Double(count)).squareRoot())))
    }
  }

  /// Builds the operation again, alone, on any device; its result has the shape and type of `result`.
  /// - Parameter inputs: replacements of the same shapes and types, on `device`.
  public func repeated(on device: ComputeDevice, with inputs: [Tensor]) -> Tensor {
    func copy(_ node: Node, _ inputs: [Node]) -> Node {
      Node(
        op: node.op, inputs: OpInputs(list: inputs), attributes: node.attributes.renewed(),
        type: TensorType(node.shape, node.dtype), device: .passUnretained(device))
    }
    // Scalars stay scalars: some steps take them only as arguments of a run, not from a tensor in memory.
    let nodes = zip(self.inputs, inputs).map { original, input in
      original.node.op === Op.scalar ? copy(original.node, []) : input.node
    }
    guard let whole else { return Tensor(node: copy(result.node, nodes)) }
    let repeated = copy(whole, nodes)
    return repeated.results.tensor(result.node.attributes.integers[0], of: repeated)
  }
}

/// The pending operations on which `tensors`, of any shapes, depend, inputs first.
///
/// While the list is held, an evaluation stores intermediate values too, so that two devices can be compared operation
/// by operation.
public func pendingOperations(of tensors: [Tensor]) -> [PendingOperation] {
  var result: [PendingOperation] = []
  var traversal = NodeTraversal()
  for root in tensors {
    root.device.withExpandedGraph { _ in
      traversal.run(from: root.node) { node in
        // An operation with several results is listed once for each result in the graph.
        if !node.isMaterialized, !node.hasSeveralResults { result.append(PendingOperation(node)) }
      }
    }
  }
  return result
}

extension PendingOperation {
  fileprivate init(_ node: Node) {
    let operation = node.op === Op.result ? node.input(0) : node
    name = operation.op.name
    inputs = (0..<operation.inputCount).map { Tensor(node: operation.input($0)) }
    result = Tensor(node: node)
    whole = operation === node ? nil : operation
  }
}
