import ApusDevice

/// The prepared plans of at most `capacity` graphs. For a further graph, it evicts a graph with the least recently used
/// plan.
struct PlanCache: ~Copyable {
  final class Entry {
    let executable: any Executable
    let outputs: [Plan.Output]
    let stepCount: Int
    let indices: IndexAnalysis
    /// Whether a run needs the known ranges of its integer inputs (`Node.numbers`): to test `indices.requirements`, or
    /// to derive the ranges of the outputs in `indices.sources`. Also `true` if `indices.requirements` is `nil`:
    /// then no input ranges are known that guarantee valid indices, so each run must check the indices.
    let hasIndices: Bool
    let dependencies: DependencyTable
    var lastUse: UInt64 = 0

    init(executable: any Executable, _ plan: Plan, _ indices: IndexAnalysis, _ dependencies: DependencyTable) {
      self.executable = executable
      outputs = plan.outputs
      stepCount = plan.steps.count
      self.indices = indices
      hasIndices = indices.requirements?.isEmpty != true || !indices.sources.isEmpty
      self.dependencies = dependencies
    }
  }

  /// A prepared plan for a graph.
  struct PreparedPlan {
    let entry: Entry
    /// How the bindings of the graph are arranged for the plan; `nil` if they have the order of the plan.
    let order: BindingOrder?
  }

  private(set) var preparedCount = 0
  private(set) var lastStepCount = 0
  private var entries: [PlanKey: PreparedPlan] = [:]
  private var clock: UInt64 = 0
  private let capacity = 256

  /// The prepared plan for `key`, if there is one.
  mutating func plan(for key: PlanKey) -> PreparedPlan? {
    guard let plan = entries[key] else { return nil }
    noteUse(of: plan.entry)
    return plan
  }

  /// Marks a plan as the one that was used last.
  mutating func noteUse(of entry: Entry) {
    clock += 1
    entry.lastUse = clock
    lastStepCount = entry.stepCount
  }

  /// Plans a graph, prepares the plan and keeps it.
  mutating func prepare(
    _ graph: GraphSnapshot, _ dependencies: DependencyTable, for key: PlanKey, backend: any Device
  ) throws(DeviceError) -> PreparedPlan {
    let plan = Planner(graph, for: backend).plan()
    let entry = Entry(executable: try backend.prepare(plan), plan, IndexAnalysis(graph), dependencies)
    noteUse(of: entry)
    let result = PreparedPlan(entry: entry, order: nil)
    keep(result, for: key)
    preparedCount += 1
    return result
  }

  /// Also stores the plan of an expanded graph under the key of the graph before the expansion, so that later graphs
  /// with this key are not expanded.
  mutating func note(_ graph: UnexpandedGraph, expanded key: PlanKey, _ bindings: Bindings) {
    guard let plan = entries[key],
      let order = BindingOrder(graph.bindings, bindings, since: graph.lastSerial)
    else { return }
    keep(PreparedPlan(entry: plan.entry, order: order), for: graph.key)
  }

  private mutating func keep(_ plan: PreparedPlan, for key: PlanKey) {
    if entries[key] == nil, entries.count >= capacity,
      let oldest = entries.min(by: { $0.value.entry.lastUse < $1.value.entry.lastUse })
    {
      entries[oldest.key] = nil
    }
    entries[key] = plan
  }
}
