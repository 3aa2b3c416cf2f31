import Synchronization

/// The results of an operation that has several.
///
/// The node of such an operation has no value of its own; each result is a `part` node. Results are computed together:
/// evaluating one computes all results that a tensor refers to.
final class ResultList: Sendable {
  let types: [TensorType]
  private let parts: Mutex<[Part]>

  private struct Part {
    weak var node: Node?
  }

  init(_ types: [TensorType]) {
    self.types = types
    parts = Mutex(types.map { _ in Part() })
  }

  /// Returns the node of a result, existing or new. `node` is the operation that has this list.
  func part(_ index: Int, of node: Node) -> Tensor {
    parts.withLock { parts in
      if let part = parts[index].node { return Tensor(node: part) }
      let part = Node(
        op: .part, inputs: OpInputs(node), attributes: .integers([index]), type: types[index],
        device: node.deviceReference)
      parts[index].node = part
      return Tensor(node: part)
    }
  }

  /// The results that have a node.
  var living: [Node] { parts.withLock { parts in parts.compactMap(\.node) } }
}

extension Op {
  /// One of the results of an operation with several; its index is the integer attribute.
  static let part: Op = Op(
    name: "part",
    shape: { inputs, attributes throws(ShapeError) in inputs[0].results.types[attributes.integers[0]] },
    gradient: .part, lower: .part)
}

extension Node {
  /// The results of an operation that has several.
  var results: ResultList {
    guard let results = attributes.results else { fatalError("\(op.name) has one result") }
    return results
  }
}

extension Attributes {
  /// The results of an operation that has several, else `nil`.
  var results: ResultList? {
    switch self {
    case .loop(let attributes): attributes.results
    case .customGradientResults(let attributes): attributes.results
    case .custom(let call): call.results
    default: nil
    }
  }

  /// The attributes for another node; a result list belongs to one node only.
  func renewed() -> Attributes {
    switch self {
    case .loop(let attributes): .loop(LoopAttributes(attributes.body))
    case .customGradientResults(let attributes): .customGradientResults(MultiResultCustomGradient(renewing: attributes))
    case .custom(let call): .custom(call.renewed())
    default: self
    }
  }
}
