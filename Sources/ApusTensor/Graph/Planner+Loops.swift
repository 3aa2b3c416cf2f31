import ApusDevice

/// A loop with a planned body. The loop carries values from one iteration to the next, and reads and writes one element
/// of its sequences in each iteration. A value is given by the index of its node in the enclosing planner.
struct PlannedLoop {
  /// The plan of one iteration.
  var body: Plan
  /// The sources of the body's inputs. Scalars that are the same in each iteration are not among them: the body reads
  /// these from the scalar bank, the numbers that are passed to each run of the whole plan.
  var inputs: [Input]
  /// The destinations of the body's outputs: first the carried values, then the sequences that other nodes read.
  var outputs: [Loop.Target]
  /// For each carried value, the node that holds its value before the first iteration.
  var initial: [Int]
  /// For each carried value, the node that stores it. After the loop, this node holds the value of the last iteration.
  var carried: [Int]
  /// The nodes for the scratch memory of the body, one for each slab of its plan.
  var slabs: [Int]

  enum Input {
    /// A value from outside, the same in each iteration.
    case whole(node: Int)
    /// The current element of a sequence.
    case element(node: Int)
    /// A carried value, by its index.
    case carried(Int)
  }
}

extension Planner {
  /// Plans the bodies of loops. Leaves out the sequence results that nothing reads.
  mutating func planLoops() {
    indexUsers()
    for node in topologicalOrder() {
      guard case .loop(let attributes) = nodes[node].kind else { continue }
      loops[node] = plannedLoop(node, attributes)
    }
  }

  private mutating func plannedLoop(_ loop: Int, _ attributes: LoopAttributes) -> PlannedLoop {
    let body = attributes.body
    var results: [Int: Int] = [:]
    for user in users[loop] {
      if case .result(let number) = nodes[user].kind { results[number] = user }
    }
    var graph = GraphSnapshot()
    graph.scalars = scalars
    let inputs = appendParameters(of: body, inputs: nodes[loop].inputs, to: &graph)
    for entry in body.entries.dropFirst(body.parameterCount) {
      graph.append(
        entry.op, entry.attributes, entry.type, inputs: entry.inputs, region: entry.region, isMaterialized: false)
    }
    var targets: [Loop.Target] = []
    for number in 0..<body.carriedCount {
      graph.outputs.append(body.results[number])
      targets.append(.carried(number))
    }
    let sequences = Array(body.results.dropFirst(body.carriedCount)) + Array(0..<body.carriedCount)
    for (index, result) in sequences.enumerated() {
      guard let node = results[body.carriedCount + index] else { continue }
      graph.outputs.append(result)
      targets.append(.element(node))
    }
    graph.donatable = Array(repeating: false, count: graph.inputCount)
    let carriedInputs = inputs.indices.filter { if case .carried = inputs[$0] { true } else { false } }
    let plan = Planner(graph, for: device).plan(carriedInputs: carriedInputs)
    return PlannedLoop(
      body: plan, inputs: inputs, outputs: targets, initial: Array(nodes[loop].inputs.prefix(body.carriedCount)),
      carried: (0..<body.carriedCount).map { number in
        results[number] ?? appendResult(number, of: loop, attributes.results.types[number])
      },
      slabs: plan.slabs.map { appendSlab($0) })
  }

  /// Adds the body's parameters to `graph`; returns the inputs that the loop must supply to its body.
  private func appendParameters(of body: LoopBody, inputs: [Int], to graph: inout GraphSnapshot) -> [PlannedLoop.Input]
  {
    var result: [PlannedLoop.Input] = []
    for (index, entry) in body.entries.prefix(body.parameterCount).enumerated() {
      let input = inputs[index]
      if index >= body.carriedCount + body.sequenceCount, case .scalar(let number) = nodes[input].kind {
        graph.appendNumber(entry.type, entry: number)
        continue
      }
      graph.append(.leaf, .none, entry.type, inputs: [], region: 0, isMaterialized: true)
      if index < body.carriedCount {
        result.append(.carried(index))
      } else {
        result.append(index < body.carriedCount + body.sequenceCount ? .element(node: input) : .whole(node: input))
      }
    }
    return result
  }

  /// Adds a node for a result that an operation writes although nothing reads it.
  mutating func appendResult(_ number: Int, of node: Int, _ type: TensorType) -> Int {
    append(
      GraphNode(
        op: .result, attributes: .integers([number]), shape: type.shape, dtype: type.dtype, inputs: [node],
        inputTypes: [], region: 0, kind: .result(number)))
  }

  private mutating func appendSlab(_ byteCount: Int) -> Int {
    append(
      GraphNode(
        op: .slab, attributes: .none, shape: [byteCount], dtype: .uint8, inputs: [], inputTypes: [], region: 0,
        kind: .slab))
  }

  /// The step of a loop. The step refers to each value by the index of its node.
  func step(ofLoop node: Int) -> Step {
    guard let loop = loops[node], case .loop(let attributes) = nodes[node].kind else {
      fatalError("planner: \(nodes[node].op.name) has no plan")
    }
    let body = attributes.body
    return .loop(
      Loop(
        count: body.count, isReversed: body.isReversed, body: loop.body,
        inputs: loop.inputs.map { input in
          switch input {
          case .whole(let node): .whole(operand(node, over: nodes[node].shape).value)
          case .element(let node): .element(operand(node, over: nodes[node].shape))
          case .carried(let number): .carried(number)
          }
        },
        outputs: loop.outputs, initial: loop.initial.map { operand($0, over: nodes[$0].shape).value },
        carried: loop.carried, slabs: loop.slabs))
  }

  /// Whether a loop can read input `position` with this layout.
  static func accepts(_ attributes: LoopAttributes, _ position: Int, _ layout: Layout) -> Bool {
    let body = attributes.body
    let elements = body.carriedCount..<body.carriedCount + body.sequenceCount
    guard elements.contains(position) else { return layout.isIdentity }
    return Layout(shape: layout.shape.removing(0), strides: layout.strides.removing(0)).isContiguous
  }
}

extension Op {
  /// Scratch memory of a loop's body within one iteration.
  static let slab: Op = Op(
    name: "slab", shape: { _, _ throws(ShapeError) in TensorType(Shape(), .uint8) },
    gradient: .notDifferentiable, lower: .leaf)
}
