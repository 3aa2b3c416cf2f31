import ApusDevice

/// The body of a loop as plain data: a graph whose first entries are parameters. These are the carried values, the
/// elements of sequences, and the invariants (outside values that are the same in each iteration).
final class LoopBody: Sendable {
  struct Entry: Sendable {
    var op: Op
    var attributes: Attributes
    var type: TensorType
    /// The indices in `entries` of the operation's inputs.
    var inputs: [Int]
    var region: UInt32
  }

  let entries: [Entry]
  let carriedCount: Int
  let sequenceCount: Int
  let invariantCount: Int
  /// The indices in `entries` of the results: the next carried values, then the outputs.
  let results: [Int]
  /// The number of iterations.
  let count: Int
  let isReversed: Bool
  /// The encoding of the body in the keys of the plan cache.
  let words: [UInt64]

  var parameterCount: Int { carriedCount + sequenceCount + invariantCount }
  var outputCount: Int { results.count - carriedCount }

  init(
    entries: [Entry], carriedCount: Int, sequenceCount: Int, invariantCount: Int, results: [Int], count: Int,
    isReversed: Bool
  ) {
    self.entries = entries
    self.carriedCount = carriedCount
    self.sequenceCount = sequenceCount
    self.invariantCount = invariantCount
    self.results = results
    self.count = count
    self.isReversed = isReversed
    var words = [UInt64(count), isReversed ? 1 : 0, UInt64(carriedCount), UInt64(sequenceCount), UInt64(entries.count)]
    for entry in entries {
      words.append(UInt64(entry.op.id) | UInt64(entry.type.dtype.rawValue) << 16 | UInt64(entry.type.shape.rank) << 24)
      for extent in entry.type.shape { words.append(UInt64(truncatingIfNeeded: extent)) }
      words.append(UInt64(entry.inputs.count))
      words += entry.inputs.map { UInt64($0) }
      entry.attributes.append(to: &words)
    }
    self.words = words + results.map { UInt64($0) }
  }

  /// Builds the operations of one iteration, with the given tensors as parameters of the body.
  func callAsFunction(_ parameters: [Tensor]) -> [Tensor] {
    var nodes = parameters.map(\.node)
    for entry in entries.dropFirst(parameters.count) {
      let inputs = entry.inputs.map { nodes[$0] }
      if entry.op === Op.result {
        nodes.append(inputs[0].results.tensor(entry.attributes.integers[0], of: inputs[0]).node)
      } else {
        nodes.append(
          Node(
            op: entry.op, inputs: OpInputs(list: inputs), attributes: entry.attributes.renewed(), type: entry.type,
            device: parameters[0].node.deviceReference))
      }
    }
    return results.map { Tensor(node: nodes[$0]) }
  }
}

/// A loop and its results: the final carried values, the outputs of all iterations, and the carried values at the start
/// of each iteration.
final class LoopAttributes: Sendable {
  let body: LoopBody
  let results: ResultList

  init(_ body: LoopBody) {
    self.body = body
    let carried = body.entries.prefix(body.carriedCount).map(\.type)
    let outputs = body.results.dropFirst(body.carriedCount).map { body.entries[$0].type }
    func sequence(_ type: TensorType) -> TensorType { TensorType(Shape([body.count] + type.shape), type.dtype) }
    results = ResultList(carried + outputs.map(sequence) + carried.map(sequence))
  }
}

extension Op {
  /// A parameter of a loop body. A node with this operation never has a value.
  static let placeholder: Op = Op(
    name: "parameter", shape: { _, _ throws(ShapeError) in TensorType(Shape(), .float32) },
    gradient: .notDifferentiable, lower: .leaf)
}

extension LoopBody {
  /// Captures the graph that `body` builds from parameters of the given types.
  ///
  /// - Returns: the body, and the outside nodes that it depends on; `nil` if the closure returns `nil`.
  static func capture(
    carried: [TensorType], elements: [TensorType], count: Int, isReversed: Bool, device: ComputeDevice,
    _ body: (_ carried: [Tensor], _ elements: [Tensor]) -> (carried: [Tensor], outputs: [Tensor])?
  ) -> (body: LoopBody, invariants: [Node])? {
    let placeholders = (carried + elements).map { type in
      Node(
        op: .placeholder, inputs: OpInputs(), attributes: .none, type: type, device: .passUnretained(device))
    }
    let tensors = placeholders.map { Tensor(node: $0) }
    guard let (next, outputs) = body(Array(tensors.prefix(carried.count)), Array(tensors.dropFirst(carried.count)))
    else { return nil }
    let roots = (next + outputs).map(\.node)
    return Capture.between(placeholders, roots, device).finish(
      roots, carriedCount: carried.count, sequenceCount: elements.count, count: count, isReversed: isReversed)
  }

  /// Captures how a tensor was computed from other tensors, all of them created before it.
  ///
  /// - Returns: a body that runs once, whose one output is the tensor, and the outside nodes that the body depends on.
  static func capture(_ result: Tensor, from inputs: [Tensor]) -> (body: LoopBody, invariants: [Node]) {
    Capture.between(inputs.map(\.node), [result.node], result.device).finish(
      [result.node], carriedCount: 0, sequenceCount: inputs.count, count: 1, isReversed: false)
  }
}

/// Finds the nodes of a graph that depend on parameters, and the outside nodes that they read.
private struct Capture {
  private let placeholders: [Node]
  /// The serial (creation number) of the oldest placeholder. Older nodes depend on no placeholder.
  private let firstSerial: UInt64
  /// The nodes that depend on parameters, and copied constants; inputs come before their users.
  private var order: [Node] = []
  private var invariants: [Node] = []
  private var depends: [ObjectIdentifier: Bool] = [:]
  private var isInvariant: Set<ObjectIdentifier> = []

  static func between(_ placeholders: [Node], _ roots: [Node], _ device: ComputeDevice) -> Capture {
    var capture = Capture(placeholders)
    device.withExpandedGraph { _ in capture.visit(roots) }
    return capture
  }

  private init(_ placeholders: [Node]) {
    self.placeholders = placeholders
    firstSerial = placeholders.map(\.serial).min() ?? 0
    for node in placeholders { depends[ObjectIdentifier(node)] = true }
  }

  private mutating func visit(_ roots: [Node]) {
    let (parameters, firstSerial) = (Set(placeholders.map { ObjectIdentifier($0) }), firstSerial)
    func isEnd(_ node: Node) -> Bool { node.serial < firstSerial || parameters.contains(ObjectIdentifier(node)) }
    var traversal = NodeTraversal()
    for root in roots {
      traversal.run(from: root, until: isEnd) { node in
        guard !parameters.contains(ObjectIdentifier(node)) else { return }
        let inputs = isEnd(node) ? [] : (0..<node.inputCount).map { node.input($0) }
        let isDependent = inputs.contains { depends[ObjectIdentifier($0)]! }
        depends[ObjectIdentifier(node)] = isDependent
        guard isDependent else { return }
        for input in inputs where !depends[ObjectIdentifier(input)]! { take(input) }
        order.append(node)
      }
    }
  }

  /// Adds an outside node to the body: constants are copied, all other nodes become parameters.
  private mutating func take(_ node: Node) {
    guard isInvariant.insert(ObjectIdentifier(node)).inserted else { return }
    if node.op === Op.constant, !node.isMaterialized { order.append(node) } else { invariants.append(node) }
  }

  consuming func finish(
    _ roots: [Node], carriedCount: Int, sequenceCount: Int, count: Int, isReversed: Bool
  ) -> (body: LoopBody, invariants: [Node]) {
    for root in roots where !depends[ObjectIdentifier(root)]! { take(root) }
    var indices: [ObjectIdentifier: Int] = [:]
    var entries: [LoopBody.Entry] = []
    for node in placeholders + invariants {
      indices[ObjectIdentifier(node)] = entries.count
      entries.append(
        LoopBody.Entry(
          op: .placeholder, attributes: .none, type: TensorType(node.shape, node.dtype), inputs: [], region: 0))
    }
    for node in order {
      let inputs = (0..<node.inputCount).map { indices[ObjectIdentifier(node.input($0))]! }
      indices[ObjectIdentifier(node)] = entries.count
      entries.append(
        LoopBody.Entry(
          op: node.op, attributes: node.attributes, type: TensorType(node.shape, node.dtype), inputs: inputs,
          region: node.region))
    }
    let body = LoopBody(
      entries: entries, carriedCount: carriedCount, sequenceCount: sequenceCount, invariantCount: invariants.count,
      results: roots.map { indices[ObjectIdentifier($0)]! }, count: count, isReversed: isReversed)
    return (body, invariants)
  }
}
