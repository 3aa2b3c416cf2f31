import ApusDevice

/// Turns a graph into a plan: merges equal nodes, chooses the element types and image layouts in memory, moves views
/// before elementwise operations, forms groups of fused operations, orders the groups and plans memory.
struct Planner {
  var nodes: [GraphNode]
  /// The nodes of the plan's outputs. After `materializeOutputs`, each is a node that a step computes, never a view.
  var outputs: [Int]
  let donatable: [Bool]
  let inputCount: Int
  let scalars: [Lane]
  let device: any Device
  let info: DeviceInfo
  /// The operations that must check their indices.
  let checking: Set<Int>

  /// The users of each node. A user that reads the node as two inputs is listed twice.
  var users: [[Int]] = []
  var isOutput: [Bool] = []
  /// For each node, the number of nested scalar operations and views that compute it from scalars and constants; −1 if
  /// there are more than 32, or if other nodes contribute.
  private var uniformDepth: [Int] = []
  var groups: [Group] = []
  /// For each node, the group that computes it; −1 for nodes that elementwise programs recompute (see `isRecomputed`),
  /// and for nodes that no step computes, such as inputs, scalars and views.
  var groupOf: [Int] = []
  /// Whether each program that reads a node recomputes it: see `findRecomputed`.
  var isRecomputed: [Bool] = []
  /// The planned loop of each loop node.
  var loops: [Int: PlannedLoop] = [:]
  /// For each node of a user-defined operation, the nodes of its results.
  var customResults: [Int: [Int]] = [:]

  init(_ graph: GraphSnapshot, for device: any Device) {
    nodes = graph.nodes
    outputs = graph.outputs
    donatable = graph.donatable
    inputCount = graph.inputCount
    scalars = graph.scalars
    self.device = device
    info = device.info
    checking = IndexAnalysis(graph).checking
    for index in nodes.indices { uniformDepth.append(depth(of: nodes[index])) }
  }

  /// - Parameter carriedInputs: for the body of a loop: output `i` overwrites the buffer of input `carriedInputs[i]`.
  consuming func plan(carriedInputs: [Int] = []) -> Plan {
    mergeEqualNodes()
    narrowAttention()
    widenHalfPrecision()
    orderChannels()
    materializeOutputs()
    moveViews()
    copyUnreadableInputs()
    planLoops()
    listCustomResults()
    formGroups()
    let order = scheduledGroups()
    var memory = MemoryPlanner(planner: self, carriedInputs: carriedInputs)
    return memory.plan(order)
  }

  // MARK: - The graph

  /// Brings `users` and `isOutput` up to date after a change. Lists only users that outputs need.
  mutating func indexUsers() {
    users = Array(repeating: [], count: nodes.count)
    isOutput = Array(repeating: false, count: nodes.count)
    for output in outputs { isOutput[output] = true }
    var seen = isOutput
    var stack = outputs
    while let node = stack.popLast() {
      for input in nodes[node].inputs {
        users[input].append(node)
        if !seen[input] {
          seen[input] = true
          stack.append(input)
        }
      }
    }
  }

  /// The nodes that outputs need, inputs before users.
  func topologicalOrder() -> [Int] {
    var order: [Int] = []
    var seen = Array(repeating: false, count: nodes.count)
    var traversal = Traversal<Int>()
    for root in outputs {
      traversal.run(from: root) { node, index in
        index < nodes[node].inputs.count ? nodes[node].inputs[index] : nil
      } enter: { node, _ in
        defer { seen[node] = true }
        return !seen[node]
      } leave: { node in
        order.append(node)
      }
    }
    return order
  }

  /// Adds a node.
  mutating func append(_ node: GraphNode) -> Int {
    nodes.append(node)
    uniformDepth.append(depth(of: node))
    if users.count == nodes.count - 1 {
      users.append([])
      isOutput.append(false)
    }
    return nodes.count - 1
  }

  /// Adds an elementwise node that copies `source`.
  mutating func appendCopy(of source: Int, as op: Op = .copy) -> Int {
    let node = nodes[source]
    return append(
      GraphNode(
        op: op, attributes: .none, shape: node.shape, dtype: node.dtype, inputs: [source],
        inputTypes: [node.type], region: node.region,
        kind: .elementwise { _, _, registers in registers[0] }))
  }

  /// Whether the node has the same value at all elements and few operations compute it (see `uniformDepth`). Such a
  /// value is computed where it is used.
  func isUniform(_ node: Int) -> Bool { uniformDepth[node] >= 0 }

  /// Whether the node is an element index or a view of one.
  func isIndex(_ node: Int) -> Bool {
    switch nodes[node].kind {
    case .index: true
    case .view: isIndex(nodes[node].inputs[0])
    default: false
    }
  }

  private func depth(of node: GraphNode) -> Int {
    switch node.kind {
    case .scalar, .constant: return 0
    case .leaf, .index, .reduction, .step, .loop, .custom, .result, .customGradientResults, .slab: return -1
    case .view, .elementwise:
      var depth = 0
      for input in node.inputs {
        guard uniformDepth[input] >= 0 else { return -1 }
        depth = max(depth, uniformDepth[input])
      }
      // Long chains of scalar operations are computed once, like other nodes.
      return depth < 32 ? depth + 1 : -1
    }
  }

  // MARK: - First passes

  /// Merges nodes with the same operation on the same inputs.
  private mutating func mergeEqualNodes() {
    struct Identity: Hashable {
      var words: [UInt64]
      var inputs: [Int]
      var type: TensorType
    }
    var replacement = Array(nodes.indices)
    var known: [Identity: Int] = [:]
    let kept = Set(outputs)
    for index in nodes.indices {
      nodes[index].inputs = nodes[index].inputs.map { replacement[$0] }
      switch nodes[index].kind {
      case .leaf, .scalar: continue
      default: break
      }
      var words = [UInt64(nodes[index].op.id), UInt64(nodes[index].region)]
      nodes[index].attributes.append(to: &words)
      let identity = Identity(words: words, inputs: nodes[index].inputs, type: nodes[index].type)
      if let first = known[identity], !kept.contains(index) {
        replacement[index] = first
      } else if let first = known[identity], case .result = nodes[index].kind {
        // A loop or custom operation writes each of its results once. If two outputs are the same result, the second
        // becomes a copy of the first.
        nodes[index].inputs = [first]
        nodes[index].op = .copy
        nodes[index].kind = .elementwise { _, _, registers in registers[0] }
      } else if known[identity] == nil {
        known[identity] = index
      }
    }
  }

  /// Copies outputs that no step would compute (inputs, views, scalars, constants, indices) and outputs that occur
  /// twice.
  private mutating func materializeOutputs() {
    var seen: Set<Int> = []
    for position in outputs.indices {
      switch nodes[outputs[position]].kind {
      case .leaf, .scalar, .constant, .index, .view:
        outputs[position] = appendCopy(of: outputs[position])
      case .elementwise, .reduction, .step, .result:
        if !seen.insert(outputs[position]).inserted { outputs[position] = appendCopy(of: outputs[position]) }
      case .loop, .custom, .customGradientResults, .slab:
        fatalError("planner: \(nodes[outputs[position]].name) has no value")
      }
    }
  }

  /// Copies to memory the inputs that a step, loop or custom operation cannot read directly: views whose layout it does
  /// not accept, indices, uniform values, and scalars that it does not read from the scalar bank (the numbers that are
  /// passed to each run).
  private mutating func copyUnreadableInputs() {
    var copies: [Int: Int] = [:]
    for index in topologicalOrder() {
      let accepts: (Int, Layout) -> Bool
      var readsNumber: (Int) -> Bool = { _ in true }
      switch nodes[index].kind {
      case .step(let lowering):
        let node = nodes[index]
        (accepts, readsNumber) = (lowering.accepts, { lowering.readsNumber(node, $0) })
      case .loop(let loop):
        let first = loop.body.carriedCount + loop.body.sequenceCount
        for position in nodes[index].inputs.indices.prefix(first) { copyNumber(position, of: index, &copies) }
        accepts = { Planner.accepts(loop, $0, $1) }
      case .custom: (accepts, readsNumber) = ({ _, layout in layout.isIdentity }, { _ in false })
      default: continue
      }
      for position in nodes[index].inputs.indices {
        let input = nodes[index].inputs[position]
        let isReadable: Bool
        switch nodes[input].kind {
        case .view(let transforms):
          let base = nodes[nodes[input].inputs[0]]
          if isUniform(input) || isIndex(input) {
            isReadable = false
          } else if let layout = transforms.layout(over: base.shape) {
            isReadable = accepts(position, layout)
          } else {
            isReadable = false
          }
        case .scalar: isReadable = readsNumber(position)
        case .constant, .index: isReadable = false
        case .elementwise: isReadable = !isUniform(input) || isOutputNode(input)
        case .leaf, .reduction, .step, .result: isReadable = true
        case .loop, .custom, .customGradientResults, .slab: isReadable = false
        }
        guard !isReadable else { continue }
        let copy = copies[input] ?? appendCopy(of: input, as: .materialize)
        copies[input] = copy
        nodes[index].inputs[position] = copy
      }
    }
  }

  /// Copies a scalar to memory if a loop carries it or iterates over it.
  private mutating func copyNumber(_ position: Int, of index: Int, _ copies: inout [Int: Int]) {
    let input = nodes[index].inputs[position]
    guard case .scalar = nodes[input].kind else { return }
    let copy = copies[input] ?? appendCopy(of: input, as: .materialize)
    copies[input] = copy
    nodes[index].inputs[position] = copy
  }

  private func isOutputNode(_ node: Int) -> Bool { outputs.contains(node) }
}

extension Op {
  /// A copy that the planner inserts.
  static let copy: Op = Op(
    name: "copy", shape: { inputs, _ throws(ShapeError) in TensorType(inputs[0].shape, inputs[0].dtype) },
    gradient: .notDifferentiable, lower: .elementwise { _, _, registers in registers[0] })

  /// A copy of a value to memory, which the planner inserts for a step that reads the value from memory.
  static let materialize: Op = Op(
    name: "materialize", shape: { inputs, _ throws(ShapeError) in TensorType(inputs[0].shape, inputs[0].dtype) },
    gradient: .notDifferentiable, lower: .elementwise { _, _, registers in registers[0] })
}
