import ApusDevice

/// A plan whose kernels are built and whose launches are recorded.
final class GPUExecutable<Driver: GPUDriver>: Executable, @unchecked Sendable {
  let recording: Driver.Recording
  /// The cost of each launch.
  let costs: [StepCost]
  /// The tag of the first launch. Profiles identify launches by their tags (`LaunchTime.tag`). The tags of a plan are
  /// consecutive numbers.
  let firstTag: Int
  let slots: SlotTable
  let scalars: [Lane]
  /// The sizes in bytes of the plan's slabs (memory for intermediate values), then the size of the workspace.
  let scratchSizes: [Int]
  /// The number of launches of all steps up to and including the last step that checks indices.
  let checkedLaunches: Int
  /// The number of launches of all steps before the first step that overwrites an input.
  let preservingLaunches: Int
  /// The ranges of launches that are started together: `checkedRanges` in a run that checks indices, `uncheckedRanges`
  /// in a run that does not.
  let checkedRanges: [Range<Int>]
  let uncheckedRanges: [Range<Int>]
  /// The launches that read indices. If an index is invalid at site `i`, the kernel writes `i + 1` to the fault
  /// register, memory that the host reads after the checks.
  let sites: [IndexSite]
  let kernels: [KernelSource]
  var runCount = 0
  let bank: GPUBuffer<Driver>
  let geometry: GPUBuffer<Driver>
  /// The contents of `bank`: the scalars of the last run as 8-byte entries. Scalars are numbers that a run passes, such
  /// as learning rates.
  var bankContents: [UInt64] = []

  /// - Parameter isStepwise: whether launches are started one at a time. The launches of a loop are started together
  ///   even then.
  init(
    recording: Driver.Recording, firstTag: Int, _ plan: Plan, _ lowering: PlanLowering, scratchSizes: [Int],
    kernels: [KernelSource], bank: GPUBuffer<Driver>, geometry: GPUBuffer<Driver>, isStepwise: Bool
  ) {
    self.recording = recording
    self.firstTag = firstTag
    costs = lowering.launches.map(\.cost)
    slots = lowering.slots
    scalars = plan.scalars
    self.scratchSizes = scratchSizes
    checkedLaunches = lowering.launchCount(ofSteps: plan.checkedStepCount)
    preservingLaunches = lowering.launchCount(ofSteps: plan.preservingStepCount)
    let launches = 0..<lowering.launches.count
    let ends = isStepwise ? launches.map { $0 + 1 }.filter { !lowering.loops.splits(at: $0) } : [launches.upperBound]
    uncheckedRanges = launches.split(at: ends + [preservingLaunches])
    checkedRanges = launches.split(at: ends + [preservingLaunches, checkedLaunches])
    sites = lowering.sites
    self.kernels = kernels
    self.bank = bank
    self.geometry = geometry
  }
}

extension [LaunchLoop] {
  /// Whether the launches before and after a boundary belong to one loop.
  fileprivate func splits(at boundary: Int) -> Bool {
    contains { $0.range.lowerBound < boundary && boundary < $0.range.upperBound }
  }
}

extension Range<Int> {
  /// The parts of the range between the given positions.
  fileprivate func split(at positions: [Int]) -> [Range] {
    let bounds = Set(positions + [lowerBound, upperBound]).filter { $0 >= lowerBound && $0 <= upperBound }.sorted()
    return zip(bounds, bounds.dropFirst()).map { $0..<$1 }
  }
}
