import ApusDevice

extension Evaluator {
  /// Computes all roots, keeps all intermediate values and checks each of them.
  /// - Returns: `nil` if the roots were computed; see `evaluate(_:after:)`.
  mutating func evaluate(_ roots: [Node], checking scope: AnomalyScope) throws(DeviceError) -> Unexpanded? {
    var check = AnomalyCheck(roots + attachedNodes, scope: scope)
    if let unexpanded = try evaluate(roots) { return unexpanded }
    if let anomaly = try check.firstAnomaly(&self) { throw .notFinite(anomaly) }
    return nil
  }
}

/// The operations of one evaluation, and their results.
private struct AnomalyCheck {
  fileprivate struct Operation {
    let node: Node
    /// The inputs of `whole`; if `node` is a result of an operation with a custom gradient, only the input that has the
    /// value of `node`. The inputs are stored because evaluation removes the edges from nodes to their inputs.
    let inputs: [Node]
    /// `node` itself or, if `node` is one of several results of an operation, the node of that operation.
    let whole: Node
  }

  private let roots: [Node]
  private let scope: AnomalyScope
  /// The evaluated operations in order of creation: inputs come before their users, forward operations before their
  /// gradients.
  private var operations: [Operation] = []
  /// For each node, its index in `operations`.
  private var indices: [ObjectIdentifier: Int] = [:]
  /// Tensors of the values that the check reads. While a tensor refers to a node, evaluations store the node's value
  /// and do not overwrite it.
  private var kept: [Tensor] = []
  /// For each node that was checked, whether its value is finite.
  private var known: [ObjectIdentifier: Bool] = [:]

  init(_ roots: [Node], scope: AnomalyScope) {
    self.roots = roots
    self.scope = scope
    collect(roots)
    operations.sort { ($0.whole.serial, $0.node.serial) < ($1.whole.serial, $1.node.serial) }
    for (index, operation) in operations.enumerated() {
      indices[ObjectIdentifier(operation.node)] = index
      if !operation.isView { kept.append(Tensor(node: operation.node)) }
      // Keeping a materialized input prevents the plan from overwriting its buffer. All inputs of a loop except scalars
      // are kept, because `inside` needs them to run the loop again.
      for input in operation.inputs
      where input.isMaterialized || operation.whole.op === Op.loop && input.op !== Op.scalar {
        kept.append(Tensor(node: input))
      }
    }
  }

  private mutating func collect(_ roots: [Node]) {
    var traversal = NodeTraversal()
    for root in roots { traversal.run(from: root) { add($0) } }
  }

  private mutating func add(_ node: Node) {
    guard !node.isMaterialized, !node.hasSeveralResults, node.op !== Op.scalar, node.op !== Op.constant else { return }
    var (whole, inputs) = (node, (0..<node.inputCount).map { node.input($0) })
    if node.op === Op.result {
      whole = inputs[0]
      inputs = (0..<whole.inputCount).map { whole.input($0) }
      // Result `i` of an operation with a custom gradient has the value of input `i` of that operation.
      if whole.op === Op.customGradientResults { inputs = [inputs[node.attributes.integers[0]]] }
    }
    operations.append(Operation(node: node, inputs: inputs, whole: whole))
  }

  /// The first operation whose result is not finite although its inputs are. Operations that may overflow (`isGuarded`)
  /// count only if a root is not finite. If there is no such operation, but a root is not finite: the first NaN in the
  /// input data or, if there is none, the first operation that computed a NaN from infinities.
  /// - Precondition: the roots have been evaluated.
  mutating func firstAnomaly(_ evaluator: inout Evaluator) throws(DeviceError) -> Anomaly? {
    for operation in operations where !operation.isView {
      guard try !isFinite(operation.node, &evaluator) else { continue }
      var isCause = true
      for input in operation.inputs where isCause { isCause = try isFinite(input, &evaluator) }
      guard isCause else { continue }
      let origin = scope.origin(of: operation.whole.serial)
      if origin.isGuarded, try rootsAreFinite(&evaluator) { continue }
      return try anomaly(of: operation, origin, &evaluator)
    }
    if let unknown = try unknownValue(&evaluator) { return unknown }
    return try undefinedResult(&evaluator)
  }

  /// The first operation that computed a NaN from infinities in the input data. `nil` if there is none, or if all roots
  /// are finite.
  private mutating func undefinedResult(_ evaluator: inout Evaluator) throws(DeviceError) -> Anomaly? {
    for operation in operations where !operation.isView {
      guard try hasNaN(operation.node, &evaluator) else { continue }
      var isCause = true
      for input in operation.inputs where isCause { isCause = try !hasNaN(input, &evaluator) }
      let origin = scope.origin(of: operation.whole.serial)
      guard isCause, try !rootsAreFinite(&evaluator) else { continue }
      return try anomaly(of: operation, origin, &evaluator)
    }
    return nil
  }

  private mutating func hasNaN(_ node: Node, _ evaluator: inout Evaluator) throws(DeviceError) -> Bool {
    guard try !isFinite(node, &evaluator) else { return false }
    return try values(of: node, &evaluator).contains { $0.isNaN }
  }

  /// The first NaN in a value that existed before this evaluation; `nil` if there is none, or if all roots are finite.
  private mutating func unknownValue(_ evaluator: inout Evaluator) throws(DeviceError) -> Anomaly? {
    for operation in operations {
      for input in operation.inputs where indices[ObjectIdentifier(input)] == nil && input.isMaterialized {
        guard try !isFinite(input, &evaluator) else { continue }
        let numbers = try values(of: input, &evaluator)
        guard numbers.contains(where: \.isNaN), try !rootsAreFinite(&evaluator) else { continue }
        var anomaly = Anomaly(input, numbers, "value", first: \.isNaN, inputs: [])
        anomaly.layer = scope.origin(of: operation.whole.serial).layer
        return anomaly
      }
    }
    return nil
  }

  private mutating func rootsAreFinite(_ evaluator: inout Evaluator) throws(DeviceError) -> Bool {
    for root in roots { guard try isFinite(root, &evaluator) else { return false } }
    return true
  }

  // MARK: - Values

  /// Whether no element is NaN or infinite. A view of a finite base is finite. A view of any other base is computed and
  /// checked, because it may leave out the elements that are not finite.
  private mutating func isFinite(_ node: Node, _ evaluator: inout Evaluator) throws(DeviceError) -> Bool {
    let identity = ObjectIdentifier(node)
    if let known = known[identity] { return known }
    guard node.dtype.isFloatingPoint else { return true }
    var result = true
    if let buffer = node.buffer {
      result = try !evaluator.download(node, buffer).hasNonFinite(node.dtype)
    } else if node.op === Op.scalar || node.op === Op.constant {
      result = node.attributes.number.isFinite
    } else if let index = indices[identity], operations[index].isView {
      result = try isFinite(operations[index].inputs[0], &evaluator)
      if !result {
        let shown = try shown(node, &evaluator)
        result = try isFinite(shown, &evaluator)
      }
    }
    known[identity] = result
    return result
  }

  /// A node that holds the value of `node`: `node` itself or, if it is a view, a copy that is evaluated now.
  private mutating func shown(_ node: Node, _ evaluator: inout Evaluator) throws(DeviceError) -> Node {
    guard node.buffer == nil, let index = indices[ObjectIdentifier(node)], operations[index].isView else { return node }
    let source = try shown(operations[index].inputs[0], &evaluator)
    guard node.op !== Op.result else { return source }
    let copy = Node(
      op: node.op, inputs: OpInputs(source), attributes: node.attributes.renewed(),
      type: TensorType(node.shape, node.dtype), device: node.deviceReference)
    kept.append(Tensor(node: copy))
    try evaluator.evaluateExpanded([copy])
    return copy
  }

  private mutating func values(of node: Node, _ evaluator: inout Evaluator) throws(DeviceError) -> [Double] {
    let node = try shown(node, &evaluator)
    guard let buffer = node.buffer else {
      return node.op === Op.scalar || node.op === Op.constant ? [node.attributes.number.double] : []
    }
    return try evaluator.download(node, buffer).numbers(node.dtype)
  }

  // MARK: - Reports

  private mutating func anomaly(
    of operation: Operation, _ origin: AnomalyScope.Origin, _ evaluator: inout Evaluator
  ) throws(DeviceError) -> Anomaly {
    var inputs: [Anomaly.Input] = []
    for input in operation.inputs {
      let numbers = try values(of: input, &evaluator)
      let range = numbers.min().flatMap { low in numbers.max().map { low...$0 } }
      inputs.append(Anomaly.Input(dtype: input.dtype, shape: Array(input.shape), range: range))
    }
    let numbers = try values(of: operation.node, &evaluator)
    var anomaly = Anomaly(
      operation.node, numbers, operation.whole.op.name, first: { !$0.isFinite }, inputs: inputs)
    if operation.whole.op === Op.loop, let inner = try inside(operation, &evaluator) { anomaly = inner }
    anomaly.layer = origin.layer
    anomaly.isGradient = origin.isGradient
    return anomaly
  }

  /// Runs a loop again, one iteration at a time, to find the operation in its body that caused the anomaly.
  private mutating func inside(
    _ operation: Operation, _ evaluator: inout Evaluator
  ) throws(DeviceError) -> Anomaly? {
    let body = operation.whole.attributes.loop.body
    var values = operation.inputs.map { Tensor(node: $0) }
    let elements = body.carriedCount..<body.carriedCount + body.sequenceCount
    let sequences = Array(values[elements])
    for index in iterationOrder(body.count, isReversed: body.isReversed) {
      for (number, sequence) in zip(elements, sequences) {
        values[number] = sequence.slice(axis: 0, from: index, count: 1).squeezingAxis(at: 0)
      }
      let results = body(values)
      do throws(DeviceError) {
        var check = AnomalyCheck(results.map(\.node), scope: scope)
        try evaluator.evaluateExpanded(results.map(\.node))
        if let anomaly = try check.firstAnomaly(&evaluator) { throw .notFinite(anomaly) }
      } catch {
        guard case .notFinite(var anomaly) = error else { throw error }
        anomaly.iteration = anomaly.iteration ?? Anomaly.Iteration(index: index, count: body.count)
        return anomaly
      }
      values.replaceSubrange(..<body.carriedCount, with: results.prefix(body.carriedCount))
    }
    return nil
  }
}

extension AnomalyCheck.Operation {
  /// Whether the operation's value is a view of an input, or equal to an input.
  fileprivate var isView: Bool {
    if case .view = node.op.lower { return true }
    return whole.op === Op.customGradientResults
  }
}

extension Evaluator {
  fileprivate func download(_ node: Node, _ buffer: Buffer) throws(DeviceError) -> any Download {
    try backend.startDownload(buffer, byteCount: node.shape.byteCount(of: node.dtype))
  }
}

extension Anomaly {
  fileprivate init(
    _ node: Node, _ numbers: [Double], _ operation: String, first isMeant: (Double) -> Bool, inputs: [Input]
  ) {
    let position = numbers.firstIndex(where: isMeant) ?? 0
    var (coordinates, rest) = ([Int](), position)
    for extent in node.shape.reversed() {
      coordinates.insert(rest % max(extent, 1), at: 0)
      rest /= max(extent, 1)
    }
    self.init(
      device: node.device.name, operation: operation, dtype: node.dtype, shape: Array(node.shape),
      coordinates: coordinates,
      value: numbers.isEmpty ? .nan : numbers[position], count: numbers.count { !$0.isFinite }, inputs: inputs)
  }
}

extension Scalar {
  fileprivate var double: Double {
    switch self {
    case .float(let value): value
    case .integer(let value): Double(value)
    }
  }

  fileprivate var isFinite: Bool { double.isFinite }
}
