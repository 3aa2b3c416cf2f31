import Synchronization

/// The results of an operation that has several.
///
/// The node of such an operation has no value of its own; each result is a node `part` of it. Results are computed
/// together: the evaluation of one gives a value to all of them that a tensor refers to.
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

  /// A result of `node`, whose results these are: the one there is, or a new one.
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

  /// The results that there are nodes of.
  var living: [Node] { parts.withLock { parts in parts.compactMap(\.node) } }
}

extension Op {
  /// One of the results of an operation with several; its number is the integer attribute.
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
    case .ruledResults(let attributes): attributes.results
    case .custom(let call): call.results
    default: nil
    }
  }

  /// The same for another node: results belong to one.
  func renewed() -> Attributes {
    switch self {
    case .loop(let attributes): .loop(LoopAttributes(attributes.body))
    case .ruledResults(let attributes): .ruledResults(RuledGradients(renewing: attributes))
    case .custom(let call): .custom(call.renewed())
    default: self
    }
  }
}
