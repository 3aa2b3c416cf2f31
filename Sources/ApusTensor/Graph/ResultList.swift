import Synchronization

/// The results of an operation that has several.
///
/// The node of such an operation has no value of its own; each result is a node of the operation `result`. Results are
/// computed together: evaluating one computes all results that a tensor refers to.
final class ResultList: Sendable {
  let types: [TensorType]
  private let results: Mutex<[Result]>

  private struct Result {
    weak var node: Node?
  }

  init(_ types: [TensorType]) {
    self.types = types
    results = Mutex(types.map { _ in Result() })
  }

  /// Returns result number `index`: a tensor with the existing node of this result or, if there is none, with a new
  /// node. `node` is the operation that has this list.
  func tensor(_ index: Int, of node: Node) -> Tensor {
    results.withLock { results in
      if let result = results[index].node { return Tensor(node: result) }
      let result = Node(
        op: .result, inputs: OpInputs(node), attributes: .integers([index]), type: types[index],
        device: node.deviceReference)
      results[index].node = result
      return Tensor(node: result)
    }
  }

  /// The nodes of results that still exist.
  var living: [Node] { results.withLock { results in results.compactMap(\.node) } }
}

extension Op {
  /// One result of an operation that has several. The integer attribute is the index of the result.
  static let result: Op = Op(
    name: "result",
    shape: { inputs, attributes throws(ShapeError) in inputs[0].results.types[attributes.integers[0]] },
    gradient: .result, lower: .result)
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
    case .deferred(let graph): graph.results
    default: nil
    }
  }

  /// The attributes for another node, with a result list of its own: a result list belongs to one node only.
  func renewed() -> Attributes {
    switch self {
    case .loop(let attributes): .loop(LoopAttributes(attributes.body))
    case .customGradientResults(let attributes): .customGradientResults(MultiResultCustomGradient(renewing: attributes))
    case .custom(let call): .custom(call.renewed())
    default: self
    }
  }
}
