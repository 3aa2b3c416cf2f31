import ApusDevice

/// Runs pending graphs of one device: orders the nodes, finds or makes the plan, binds buffers and runs the plan.
///
/// Each training step runs this code. The arrays are kept from one evaluation to the next, so that they are not
/// allocated again.
struct Evaluator: ~Copyable {
  let backend: any Device
  var plans: PlanCache

  private var epoch: UInt32 = 0
  /// The newest mark of nodes that a traversal has visited.
  private var lastEpoch: UInt32 = 0
  /// The visited nodes, inputs first.
  private var order: [Unmanaged<Node>] = []
  private var traversal = Traversal<Unmanaged<Node>>()
  private var key = PlanKey()
  /// While evaluations are recorded: the operations of the graph.
  private var operations = PlanKey()
  private var bound = Bindings()
  /// The bindings in the order of the plan, if it was made for an expanded graph.
  private var arranged = Bindings()
  /// The inputs of the `stopGradient` nodes in the graph.
  private var detached: [Unmanaged<Node>] = []
  /// For each node of `order`, whether it keeps its edges (the references to its inputs); empty if no node keeps them.
  private var keepsEdges: [Bool] = []
  /// Values to compute with the next plan although no requested value depends on them.
  private var attached: [(node: Node, scope: GradientScope?)] = []
  private var attachedLimit = 64
  /// Results of visited operations with several results; they are computed together with the requested values.
  private var siblings: [Node] = []
  /// The deferred graphs of the device, in order of creation.
  var deferred: [DeferredNode] = []
  var deferredCounts = (created: 0, expanded: 0)
  /// Whether the graph contains a deferred graph.
  private var hasDeferred = false
  /// Whether the graph contains a deferred graph whose expansion another thread has started.
  private var waitsForExpansion = false
  /// Which gradients losses have; see `GradientForms`.
  var gradientForms = GradientForms()

  init(backend: any Device) {
    self.backend = backend
    plans = PlanCache()
  }

  /// Computes `node` with the next evaluation if a tensor still refers to it then, even if no requested value depends
  /// on `node`. Until a gradient scope ends, only evaluations inside the scope compute the nodes that were attached in
  /// it: an evaluation on another thread would cut the edges that gradients need.
  mutating func attach(_ node: Node) {
    if attached.count >= attachedLimit {
      // Drop unreferenced values, so that a loop that never evaluates does not accumulate them.
      attached.removeAll { $0.node.isMaterialized || $0.node.handleCount.load(ordering: .acquiring) == 0 }
      attachedLimit = max(64, 2 * attached.count)
    }
    attached.append((node, GradientScope.current))
  }

  /// Whether a value has to be computed with the next plan although no requested value depends on it.
  var hasPendingAttachments: Bool {
    attached.contains { !$0.node.isMaterialized && $0.node.handleCount.load(ordering: .acquiring) > 0 }
  }

  /// The attached nodes that a tensor still refers to.
  var attachedNodes: [Node] {
    attached.compactMap { $0.node.handleCount.load(ordering: .acquiring) > 0 ? $0.node : nil }
  }

  /// Computes all roots and, in the same plan, the attached nodes. If this fails and an attached node may be the cause,
  /// the roots are evaluated again without attached nodes. The attached nodes then have no value, and reading one
  /// throws its error.
  /// - Parameter former: the result of the previous call with the same roots; `nil` in the first call.
  /// - Returns: `nil` if the roots were computed. Otherwise the caller expands the deferred graphs of the device, and
  ///   then calls this function again.
  mutating func evaluate(_ roots: [Node], after former: Unexpanded? = nil) throws(DeviceError) -> Unexpanded? {
    let extra = (former?.extra ?? []) + takeAttached()
    guard !extra.isEmpty else { return try evaluate(roots, with: [], former?.graph) }
    do throws(DeviceError) { return try evaluate(roots, with: extra, former?.graph) } catch {
      switch error {
      case .outOfMemory, .lost, .launchFailed: throw error
      default: return try evaluate(roots, with: [], nil)
      }
    }
  }

  /// Computes roots that do not depend on a deferred graph, and that no deferred graph depends on.
  mutating func evaluateExpanded(_ roots: [Node]) throws(DeviceError) {
    guard try evaluate(roots, with: [], nil, ignoresOthers: true) == nil else {
      fatalError("evaluate: the values depend on a deferred graph")
    }
  }

  /// An evaluation that waits for the expansion of deferred graphs.
  struct Unexpanded {
    /// The attached nodes of the evaluation.
    var extra: [Node]
    /// The graph for which there is no plan; `nil` if a deferred graph outside of the evaluation needs nodes that the
    /// evaluation would release, or if another thread is expanding a deferred graph of the evaluation.
    var graph: UnexpandedGraph?
  }

  private mutating func evaluate(
    _ roots: [Node], with extra: [Node], _ former: UnexpandedGraph?, ignoresOthers: Bool = false
  ) throws(DeviceError) -> Unexpanded? {
    begin()
    for root in roots where !root.isMaterialized { visit(root) }
    for root in extra where !root.isMaterialized && root.handleCount.load(ordering: .acquiring) > 0 {
      visit(root)
    }
    while let sibling = siblings.popLast() { if !sibling.isMaterialized { visit(sibling) } }
    guard !order.isEmpty else {
      for root in roots { if let failure = root.failure { throw failure } }
      return nil
    }
    if waitsForExpansion || !ignoresOthers && isSharedWithDeferred() {
      begin()
      return Unexpanded(extra: extra)
    }
    for root in roots where root.mark == epoch { root.isRoot = true }
    findDetached()
    do throws(DeviceError) {
      try writeKey()
      if let plan = plans.plan(for: key) {
        try run(plan)
      } else if hasDeferred {
        bound.inputs.removeAll(keepingCapacity: true)
        let graph = UnexpandedGraph(key, bound)
        begin()
        return Unexpanded(extra: extra, graph: graph)
      } else {
        let table = DependencyTable(order, inputs: bound.inputNodes, outputs: bound.outputNodes)
        try run(plans.prepare(snapshot(), table, for: key, backend: backend))
      }
    } catch {
      // The graph stays unchanged; the bound buffers are released.
      begin()
      throw error
    }
    if let former { plans.note(former, expanded: key, bound) }
    finish()
    return nil
  }

  /// Whether a deferred graph outside of this evaluation depends on a pending node of this evaluation. The evaluation
  /// would cut the edges of that node, from which the operations of the deferred graph are built.
  private mutating func isSharedWithDeferred() -> Bool {
    guard !deferred.isEmpty else { return false }
    deferred.removeAll { $0.node == nil }
    let (evaluated, visited) = (epoch, nextEpoch())
    var isShared = false
    for case let node? in deferred.map(\.node) where node.mark != evaluated && !isShared {
      traversal.run(from: Unmanaged.passUnretained(node)) { vertex, index in
        vertex._withUnsafeGuaranteedRef { index < $0.inputCount ? $0.edge(index) : nil }
      } enter: { vertex, _ in
        vertex._withUnsafeGuaranteedRef { node in
          // Materialized nodes may be inputs of both.
          guard !node.isMaterialized || node.hasEdges else { return false }
          if node.mark == evaluated { isShared = true }
          guard !isShared, node.mark != visited else { return false }
          node.mark = visited
          return true
        }
      } leave: { _ in
      }
    }
    return isShared
  }

  /// Removes and returns the attached values that may be computed now.
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
    epoch = nextEpoch()
    order.removeAll(keepingCapacity: true)
    bound.removeAll()
    detached.removeAll(keepingCapacity: true)
    keepsEdges.removeAll(keepingCapacity: true)
    hasDeferred = false
    waitsForExpansion = false
  }

  /// Finds the nodes that keep their edges. If a tensor refers to the input of a `stopGradient`, that input may be
  /// differentiated later along another path. For example, generated images train a discriminator and then their
  /// generator. So all nodes from this input back to materialized nodes keep their edges, and these materialized nodes
  /// are not donated: the plan must not overwrite their values.
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

  /// Appends `root` and its dependencies to `order`, inputs before their users, and counts the edges to each node.
  private mutating func visit(_ root: Node) {
    // The traversal is moved out of `self` and back, because its closures modify `self`.
    var traversal = Traversal<Unmanaged<Node>>()
    swap(&traversal, &self.traversal)
    traversal.run(from: Unmanaged.passUnretained(root)) { vertex, index in
      vertex._withUnsafeGuaranteedRef { !$0.isMaterialized && index < $0.inputCount ? $0.edge(index) : nil }
    } enter: { vertex, user in
      let isNew = vertex._withUnsafeGuaranteedRef { enter($0) }
      if let user {
        // A node that stays pending is a view whose value is not stored, so it reads its input again later. Its edge to
        // the input is not counted: `bind` then treats the node as a user outside of this evaluation, and the input's
        // value is kept.
        let edge: Int32 = user._withUnsafeGuaranteedRef { $0.staysPending ? 0 : 1 }
        vertex._withUnsafeGuaranteedRef { $0.edges += edge }
      }
      return isNew
    } leave: { vertex in
      vertex._withUnsafeGuaranteedRef { $0.position = Int32(truncatingIfNeeded: order.count) }
      order.append(vertex)
    }
    swap(&traversal, &self.traversal)
  }

  /// Marks a node as visited; returns whether it was not visited before.
  private mutating func enter(_ node: Node) -> Bool {
    guard node.mark != epoch else { return false }
    node.mark = epoch
    node.edges = 0
    node.isRoot = false
    node.staysPending = node.isRearrangement && node.handleCount.load(ordering: .acquiring) > 0
    if node.hasSeveralResults {
      siblings += node.results.living
      if case .deferred(let graph) = node.attributes {
        hasDeferred = true
        if graph.hasStartedExpansion { waitsForExpansion = true }
      }
    }
    if node.isDetaching, !node.isMaterialized, let source = node.firstEdge { detached.append(source) }
    return true
  }

  /// Writes the structure of `order` to the key and collects inputs, scalars and outputs.
  private mutating func writeKey() throws(DeviceError) {
    key.begin()
    // Inside a gradient scope no input is donated, because gradients are computed from the inputs later.
    let mayDonate = GradientScope.current == nil
    for unmanaged in order {
      if let failure = unmanaged._withUnsafeGuaranteedRef({ bind($0, unmanaged, mayDonate) }) {
        throw failure
      }
    }
    key.finish()
    if EvaluationRecorder.current != nil { writeOperations() }
  }

  /// Writes the operations of `order` to `operations`: the key without the marks of overwritten inputs and stored
  /// values.
  private mutating func writeOperations() {
    operations.begin()
    for unmanaged in order {
      unmanaged._withUnsafeGuaranteedRef { operations.append($0, isOutput: false, isInput: $0.isMaterialized) }
    }
    operations.finish()
  }

  /// Appends one node to the key and to the bindings. If the node is an input without a value, returns its failure.
  private mutating func bind(
    _ node: Node, _ unmanaged: Unmanaged<Node>, _ mayDonate: Bool
  ) -> DeviceError? {
    if node.isMaterialized {
      guard let buffer = node.buffer, !node.hasFailed else { return node.failure }
      let isDonatable =
        mayDonate && !node.isRoot && (keepsEdges.isEmpty || !keepsEdges[Int(node.position)])
        && node.handleCount.load(ordering: .acquiring) == 0
        && node.consumerCount.load(ordering: .relaxed) == node.edges
      bound.inputs.append(buffer)
      bound.inputNodes.append(unmanaged)
      bound.donatable.append(isDonatable)
      key.append(node, isOutput: isDonatable, isInput: true)
      return nil
    }
    if !node.isRoot && node.staysPending {
      key.append(node, isOutput: false, isInput: false)
      return nil
    }
    // The value must be stored if it was requested, or if a tensor or a node outside of this evaluation refers to it.
    let isOutput =
      node.isRoot || node.handleCount.load(ordering: .acquiring) > 0
      || node.consumerCount.load(ordering: .relaxed) > node.edges
    let isNumber = node.isNumber
    if isNumber {
      bound.scalars.append(node.attributes.number)
      bound.scalarNodes.append(unmanaged)
    }
    let kept = isOutput && !node.hasSeveralResults && (!isNumber || node.isRoot)
    if kept { bound.outputNodes.append(unmanaged) }
    key.append(node, isOutput: kept, isInput: false)
    return nil
  }

  /// Returns a new epoch, the mark of nodes that a traversal has visited. No node has this mark yet.
  mutating func nextEpoch() -> UInt32 {
    lastEpoch &+= 1
    return lastEpoch
  }

  /// The graph as plain data, for the planner.
  private func snapshot() -> GraphSnapshot {
    var result = GraphSnapshot()
    // The nodes of `bound.outputNodes` have the same order as in `order`.
    var outputs = bound.outputNodes[...]
    for unmanaged in order {
      let isOutput = outputs.first?.toOpaque() == unmanaged.toOpaque()
      if isOutput { outputs.removeFirst() }
      result.append(unmanaged._withUnsafeGuaranteedRef { $0 }, isOutput: isOutput)
    }
    result.donatable = bound.donatable
    return result
  }

  private mutating func run(_ plan: PlanCache.PreparedPlan) throws(DeviceError) {
    // The bindings are moved out of `self` and back, because `run` changes them.
    var (bound, arranged) = (Bindings(), Bindings())
    swap(&bound, &self.bound)
    swap(&arranged, &self.arranged)
    defer {
      arranged.removeAll()
      swap(&bound, &self.bound)
      swap(&arranged, &self.arranged)
    }
    guard let order = plan.order else { return try runAndStore(plan.entry, &bound) }
    order.arrange(bound, into: &arranged)
    bound.inputs.removeAll(keepingCapacity: true)
    try runAndStore(plan.entry, &arranged)
  }

  /// Runs a plan, and stores the values of its outputs.
  /// - Parameter bound: the bindings, in the order of the plan.
  private func runAndStore(_ entry: PlanCache.Entry, _ bound: inout Bindings) throws(DeviceError) {
    let outputs = try run(entry, bound)
    let record = record(entry, bound)
    for (index, unmanaged) in bound.outputNodes.enumerated() {
      unmanaged._withUnsafeGuaranteedRef {
        $0.buffer = outputs[index]
        $0.origin = RunDependencies.Output(record: record, number: Int32(truncatingIfNeeded: index))
      }
    }
    if entry.hasIndices {
      for (output, sources) in entry.indices.sources {
        let numbers = numbers(of: sources, bound)
        bound.outputNodes[output]._withUnsafeGuaranteedRef { $0.numbers = numbers }
      }
    }
    bound.inputs.removeAll(keepingCapacity: true)
    for output in entry.outputs {
      guard let input = output.donatedInput else { continue }
      bound.inputNodes[input]._withUnsafeGuaranteedRef {
        $0.buffer = nil
        $0.isConsumed = true
      }
    }
    EvaluationRecorder.current?.add(entry, bound, operations)
  }

  /// Runs a plan and returns the buffers of its outputs. If the run fails, inputs that it may have overwritten have no
  /// value from then on.
  func run(_ entry: PlanCache.Entry, _ bound: Bindings) throws(DeviceError) -> [Buffer] {
    var outputs: [Buffer] = []
    outputs.reserveCapacity(entry.outputs.count)
    for output in entry.outputs {
      if let input = output.donatedInput {
        outputs.append(bound.inputs[input])
      } else {
        outputs.append(try backend.allocate(byteCount: output.byteCount))
      }
    }
    do throws(RunFailure) {
      try backend.run(
        entry.executable, inputs: bound.inputs, outputs: outputs, scalars: bound.scalars,
        areIndicesKnown: !entry.hasIndices || areKnown(entry.indices, bound))
    } catch {
      for output in entry.outputs where error.hasOverwritten {
        guard let input = output.donatedInput else { continue }
        bound.inputNodes[input]._withUnsafeGuaranteedRef { $0.failure = error.error }
      }
      throw error.error
    }
    return outputs
  }

  /// Whether the known ranges of the inputs guarantee that all indices of the plan's gathers and scatters are in range.
  private func areKnown(_ indices: IndexAnalysis, _ bound: Bindings) -> Bool {
    guard let requirements = indices.requirements else { return false }
    return requirements.allSatisfy { requirement in
      guard let numbers = bound.inputNodes[requirement.input]._withUnsafeGuaranteedRef(\.numbers) else { return false }
      return requirement.range.contains(numbers.lowerBound) && requirement.range.contains(numbers.upperBound)
    }
  }

  /// A range that contains the integers of all `sources`; `nil` if one of their ranges is unknown.
  private func numbers(of sources: [Int], _ bound: Bindings) -> ClosedRange<Int>? {
    var result: ClosedRange<Int>?
    for source in sources {
      guard let numbers = bound.inputNodes[source]._withUnsafeGuaranteedRef(\.numbers) else { return nil }
      result = result.map { min($0.lowerBound, numbers.lowerBound)...max($0.upperBound, numbers.upperBound) } ?? numbers
    }
    return result
  }

  /// Returns a record of the run, with its inputs and outputs.
  private func record(_ entry: PlanCache.Entry, _ bound: Bindings) -> RunDependencies {
    let record = recordOfInputs(entry, bound)
    for node in bound.outputNodes { node._withUnsafeGuaranteedRef { record.append($0.serial, origin: nil) } }
    return record
  }

  /// Returns a record of a run with its inputs only. The caller appends the outputs.
  func recordOfInputs(_ entry: PlanCache.Entry, _ bound: Bindings) -> RunDependencies {
    let record = RunDependencies.empty(entry.dependencies, capacity: bound.inputNodes.count + entry.outputs.count)
    for (index, node) in bound.inputNodes.enumerated() {
      node._withUnsafeGuaranteedRef { record.append($0.serial, origin: bound.donatable[index] ? nil : $0.origin) }
    }
    return record
  }

  /// Releases the evaluated graph, inputs first so that nothing is released recursively.
  private mutating func finish() {
    let scope = GradientScope.current
    // Inputs had values before this evaluation. Their edges stay: if an input still has edges, a gradient scope keeps
    // them, perhaps on another thread. The nodes of `bound.inputNodes` have the same order as in `order`.
    var inputs = bound.inputNodes[...]
    for (position, unmanaged) in order.enumerated() {
      if inputs.first?.toOpaque() == unmanaged.toOpaque() {
        inputs.removeFirst()
        continue
      }
      if !keepsEdges.isEmpty, keepsEdges[position] { continue }
      // The edges can be cut: `bind` made each node that has users outside of this evaluation an output, or left the
      // node pending.
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
