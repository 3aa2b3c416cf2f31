import ApusDevice

/// Runs pending graphs of one device: orders them, finds or makes the plan, binds and runs it.
///
/// This is the hot path of a training step; the arrays are kept to avoid allocation.
struct Evaluator: ~Copyable {
  let backend: any Device
  var plans: PlanCache

  private var epoch: UInt32 = 0
  /// Nodes reached, inputs first.
  private var order: [Unmanaged<Node>] = []
  private var stack: [(node: Unmanaged<Node>, next: Int)] = []
  private var key = PlanKey()
  private var inputs: [Buffer] = []
  private var inputNodes: [Unmanaged<Node>] = []
  private var donatable: [Bool] = []
  private var outputNodes: [Unmanaged<Node>] = []
  private var scalars: [Scalar] = []
  /// Nodes behind a `stopGradient` of the graph.
  private var detached: [Unmanaged<Node>] = []
  /// For each node of `order` whether it keeps its inputs; empty where none does.
  private var keepsEdges: [Bool] = []
  /// Values to compute with the next plan although nothing that is asked for needs them.
  private var attached: [(node: Node, scope: GradientScope?)] = []
  private var attachedLimit = 64
  /// Results of operations that were reached, which are computed together with those that are asked for.
  private var siblings: [Node] = []

  init(backend: any Device) {
    self.backend = backend
    plans = PlanCache()
  }

  /// Computes `node` with the next evaluation, whatever that is for; but as long as the gradient scope lasts in which
  /// this is asked for, only with one inside of it: another thread's would cut the edges that gradients need.
  mutating func attach(_ node: Node) {
    if attached.count >= attachedLimit {
      // Values that nothing refers to any more are let go, or a loop that never evaluates would pile them up.
      attached.removeAll { $0.node.isMaterialized || $0.node.handleCount.load(ordering: .acquiring) == 0 }
      attachedLimit = max(64, 2 * attached.count)
    }
    attached.append((node, GradientScope.current))
  }

  /// What is computed with the next evaluation, if that may.
  var attachedNodes: [Node] {
    attached.compactMap { $0.node.handleCount.load(ordering: .acquiring) > 0 ? $0.node : nil }
  }

  /// Gives every root a value, and with them attached nodes. Where one of these may be what fails, the roots are
  /// evaluated without them: an attached node has no value then, and reading it throws its error.
  mutating func evaluate(_ roots: [Node]) throws(DeviceError) {
    let extra = takeAttached()
    guard !extra.isEmpty else { return try evaluate(roots, with: []) }
    do throws(DeviceError) { try evaluate(roots, with: extra) } catch {
      switch error {
      case .outOfMemory, .lost, .launchFailed: throw error
      default: try evaluate(roots, with: [])
      }
    }
  }

  private mutating func evaluate(_ roots: [Node], with extra: [Node]) throws(DeviceError) {
    begin()
    for root in roots where !root.isMaterialized { visit(root) }
    for root in extra where !root.isMaterialized && root.handleCount.load(ordering: .acquiring) > 0 {
      visit(root)
    }
    while let sibling = siblings.popLast() { if !sibling.isMaterialized { visit(sibling) } }
    guard !order.isEmpty else {
      for root in roots { if let failure = root.failure { throw failure } }
      return
    }
    for root in roots where root.mark == epoch { root.isRoot = true }
    findDetached()
    do throws(DeviceError) {
      try writeKey()
      if let entry = plans.entry(for: key) {
        try run(entry)
      } else {
        let table = DependencyTable(order, inputs: inputNodes, outputs: outputNodes)
        try run(plans.prepare(snapshot(), table, for: key, backend: backend))
      }
    } catch {
      // The graph stays as it is; what was bound is let go.
      begin()
      throw error
    }
    finish()
  }

  /// The attached values that may be computed now.
  private mutating func takeAttached() -> [Node] {
    guard !attached.isEmpty else { return [] }
    let scope = GradientScope.current
    var taken: [Node] = []
    attached.removeAll { entry in
      guard entry.scope == nil || entry.scope === scope || entry.scope?.isOpen == false else { return false }
      taken.append(entry.node)
      return true
    }
    return taken
  }

  private mutating func begin() {
    epoch &+= 1
    order.removeAll(keepingCapacity: true)
    inputs.removeAll(keepingCapacity: true)
    inputNodes.removeAll(keepingCapacity: true)
    donatable.removeAll(keepingCapacity: true)
    outputNodes.removeAll(keepingCapacity: true)
    scalars.removeAll(keepingCapacity: true)
    detached.removeAll(keepingCapacity: true)
    keepsEdges.removeAll(keepingCapacity: true)
  }

  /// A value that a tensor refers to beside its `stopGradient` is meant to be differentiated on another way: images
  /// that a discriminator is trained with, and then their generator. It keeps its graph, and that keeps its inputs'
  /// memory.
  private mutating func findDetached() {
    guard !detached.isEmpty else { return }
    detached.removeAll {
      $0._withUnsafeGuaranteedRef { node in
        node.isMaterialized || !node.hasEdges || node.handleCount.load(ordering: .acquiring) == 0
      }
    }
    guard !detached.isEmpty else { return }
    keepsEdges = Array(repeating: false, count: order.count)
    for node in detached { keepsEdges[Int(node._withUnsafeGuaranteedRef(\.position))] = true }
    for position in order.indices.reversed() where keepsEdges[position] {
      order[position]._withUnsafeGuaranteedRef { node in
        guard !node.isMaterialized else { return }
        for index in 0..<node.inputCount {
          keepsEdges[Int(node.edge(index)._withUnsafeGuaranteedRef(\.position))] = true
        }
      }
    }
  }

  /// Appends what `root` depends on to `order`, inputs before their users, and counts edges.
  private mutating func visit(_ root: Node) {
    guard root.mark != epoch else { return }
    enter(Unmanaged.passUnretained(root))
    while !stack.isEmpty {
      let (unmanaged, next) = stack[stack.count - 1]
      let (input, edge) = unmanaged._withUnsafeGuaranteedRef { node -> (Unmanaged<Node>?, Int32) in
        // A node that stays pending needs its input again later: the edge does not count, so that the input is kept.
        if !node.isMaterialized, next < node.inputCount { return (node.edge(next), node.staysPending ? 0 : 1) }
        node.position = Int32(truncatingIfNeeded: order.count)
        return (nil, 0)
      }
      if let input {
        stack[stack.count - 1].next = next + 1
        let isNew = input._withUnsafeGuaranteedRef { node -> Bool in
          guard node.mark != epoch else {
            node.edges += edge
            return false
          }
          return true
        }
        if isNew {
          enter(input)
          input._withUnsafeGuaranteedRef { $0.edges = edge }
        }
      } else {
        stack.removeLast()
        order.append(unmanaged)
      }
    }
  }

  private mutating func enter(_ node: Unmanaged<Node>) {
    node._withUnsafeGuaranteedRef {
      $0.mark = epoch
      $0.edges = 0
      $0.isRoot = false
      $0.staysPending = $0.isRearrangement && $0.handleCount.load(ordering: .acquiring) > 0
      if $0.hasParts { siblings += $0.results.living }
      if $0.isDetaching, !$0.isMaterialized, let source = $0.firstEdge { detached.append(source) }
    }
    stack.append((node, 0))
  }

  /// Writes the structure of `order` as words and collects inputs, numbers and outputs.
  private mutating func writeKey() throws(DeviceError) {
    key.begin()
    // Inside a gradient scope inputs are needed once more, to compute gradients from.
    let mayDonate = GradientScope.current == nil
    for unmanaged in order {
      if let failure = unmanaged._withUnsafeGuaranteedRef({ bind($0, unmanaged, mayDonate) }) {
        throw failure
      }
    }
    key.finish()
  }

  /// Writes one node to the key; returns why an input has no value.
  private mutating func bind(
    _ node: Node, _ unmanaged: Unmanaged<Node>, _ mayDonate: Bool
  ) -> DeviceError? {
    if node.isMaterialized {
      guard let buffer = node.buffer, !node.hasFailed else { return node.failure }
      let isDonatable =
        mayDonate && !node.isRoot && (keepsEdges.isEmpty || !keepsEdges[Int(node.position)])
        && node.handleCount.load(ordering: .acquiring) == 0
        && node.consumerCount.load(ordering: .relaxed) == node.edges
      inputs.append(buffer)
      inputNodes.append(unmanaged)
      donatable.append(isDonatable)
      key.append(node, isOutput: isDonatable, isInput: true)
      return nil
    }
    if !node.isRoot && node.staysPending {
      key.append(node, isOutput: false, isInput: false)
      return nil
    }
    // Someone outside of this evaluation still refers to the value: it has to be kept.
    let isOutput =
      node.isRoot || node.handleCount.load(ordering: .acquiring) > 0
      || node.consumerCount.load(ordering: .relaxed) > node.edges
    let isNumber = node.isNumber
    if isNumber { scalars.append(node.attributes.number) }
    let kept = isOutput && !node.hasParts && (!isNumber || node.isRoot)
    if kept { outputNodes.append(unmanaged) }
    key.append(node, isOutput: kept, isInput: false)
    return nil
  }

  /// Starts a traversal of its own: no node is marked with the epoch it returns.
  mutating func nextEpoch() -> UInt32 {
    epoch &+= 1
    return epoch
  }

  /// The graph as plain data, for the planner.
  private func snapshot() -> GraphSnapshot {
    var result = GraphSnapshot()
    // Outputs come in the same order as nodes.
    var outputs = outputNodes[...]
    for unmanaged in order {
      let isOutput = outputs.first?.toOpaque() == unmanaged.toOpaque()
      if isOutput { outputs.removeFirst() }
      result.append(unmanaged._withUnsafeGuaranteedRef { $0 }, isOutput: isOutput)
    }
    result.donatable = donatable
    return result
  }

  private mutating func run(_ entry: PlanCache.Entry) throws(DeviceError) {
    var outputs: [Buffer] = []
    outputs.reserveCapacity(entry.outputs.count)
    for output in entry.outputs {
      if let input = output.donatedInput {
        outputs.append(inputs[input])
      } else {
        outputs.append(try backend.allocate(byteCount: output.byteCount))
      }
    }
    do throws(RunFailure) {
      try backend.run(
        entry.executable, inputs: inputs, outputs: outputs, scalars: scalars,
        areIndicesKnown: !entry.hasIndices || areKnown(entry.indices))
    } catch {
      for output in entry.outputs where error.hasOverwritten {
        guard let input = output.donatedInput else { continue }
        inputNodes[input]._withUnsafeGuaranteedRef { $0.failure = error.error }
      }
      throw error.error
    }
    let record = record(entry)
    for (index, unmanaged) in outputNodes.enumerated() {
      unmanaged._withUnsafeGuaranteedRef {
        $0.buffer = outputs[index]
        $0.origin = RunRecord.Output(record: record, number: Int32(truncatingIfNeeded: index))
      }
    }
    if entry.hasIndices {
      for (output, sources) in entry.indices.sources {
        let numbers = numbers(of: sources)
        outputNodes[output]._withUnsafeGuaranteedRef { $0.numbers = numbers }
      }
    }
    inputs.removeAll(keepingCapacity: true)
    for output in entry.outputs {
      guard let input = output.donatedInput else { continue }
      inputNodes[input]._withUnsafeGuaranteedRef {
        $0.buffer = nil
        $0.isConsumed = true
      }
    }
  }

  /// Whether the host knows that no index of the plan is out of range.
  private func areKnown(_ indices: IndexAnalysis) -> Bool {
    guard let requirements = indices.requirements else { return false }
    return requirements.allSatisfy { requirement in
      guard let numbers = inputNodes[requirement.input]._withUnsafeGuaranteedRef(\.numbers) else { return false }
      return requirement.range.contains(numbers.lowerBound) && requirement.range.contains(numbers.upperBound)
    }
  }

  /// A range that the integers of some inputs are in.
  private func numbers(of sources: [Int]) -> ClosedRange<Int>? {
    var result: ClosedRange<Int>?
    for source in sources {
      guard let numbers = inputNodes[source]._withUnsafeGuaranteedRef(\.numbers) else { return nil }
      result = result.map { min($0.lowerBound, numbers.lowerBound)...max($0.upperBound, numbers.upperBound) } ?? numbers
    }
    return result
  }

  /// What the run computes from what.
  private func record(_ entry: PlanCache.Entry) -> RunRecord {
    let record = RunRecord.empty(entry.dependencies, capacity: inputNodes.count + outputNodes.count)
    for (index, node) in inputNodes.enumerated() {
      node._withUnsafeGuaranteedRef { record.append($0.serial, origin: donatable[index] ? nil : $0.origin) }
    }
    for node in outputNodes { node._withUnsafeGuaranteedRef { record.append($0.serial, origin: nil) } }
    return record
  }

  /// Lets go of the evaluated graph, inputs first so that nothing is released recursively.
  private mutating func finish() {
    let scope = GradientScope.current
    // Inputs had values before: edges that they have belong to a scope, which may be another thread's. They come
    // in the order of the nodes.
    var inputs = inputNodes[...]
    for (position, unmanaged) in order.enumerated() {
      if inputs.first?.toOpaque() == unmanaged.toOpaque() {
        inputs.removeFirst()
        continue
      }
      if !keepsEdges.isEmpty, keepsEdges[position] { continue }
      // A node that is not kept but still has users elsewhere cannot exist: it became an output.
      unmanaged._withUnsafeGuaranteedRef { node in
        guard node.hasEdges, node.isRoot || !node.staysPending else { return }
        if let scope {
          scope.keep(node)
        } else {
          node.cutEdges()
        }
      }
    }
    order.removeAll(keepingCapacity: true)
  }
}
