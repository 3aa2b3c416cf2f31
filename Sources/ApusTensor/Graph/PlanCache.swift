import ApusDevice

/// A cache of at most `capacity` prepared plans; it evicts the least recently used plan.
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

  private(set) var preparedCount = 0
  private(set) var lastStepCount = 0
  private var entries: [PlanKey: Entry] = [:]
  private var clock: UInt64 = 0
  private let capacity = 256

  /// The prepared plan for `key`, if there is one.
  mutating func entry(for key: PlanKey) -> Entry? {
    guard let entry = entries[key] else { return nil }
    clock += 1
    entry.lastUse = clock
    lastStepCount = entry.stepCount
    return entry
  }

  /// Plans a graph, prepares the plan and keeps it.
  mutating func prepare(
    _ graph: GraphSnapshot, _ dependencies: DependencyTable, for key: PlanKey, backend: any Device
  ) throws(DeviceError) -> Entry {
    let plan = Planner(graph, for: backend).plan()
    let entry = Entry(executable: try backend.prepare(plan), plan, IndexAnalysis(graph), dependencies)
    clock += 1
    entry.lastUse = clock
    if entries.count >= capacity, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
      entries[oldest.key] = nil
    }
    entries[key] = entry
    preparedCount += 1
    lastStepCount = entry.stepCount
    return entry
  }
}
