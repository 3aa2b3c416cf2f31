import ApusDevice

/// The start of an array: a slot (the index of a memory block in the list that the driver gets) and an offset in
/// elements.
struct MemoryLocation: Sendable {
  var slot: Int
  var offset: Int
}

/// The arguments and results of a program (elementwise code) as locations in memory, with their layouts over the domain
/// (the shape over which the program runs).
struct BoundProgram {
  enum Argument {
    case tensor(MemoryLocation)
    /// The scalar with this index in the scalar bank, an array of numbers that each run of the plan gets.
    case scalar(Int)
    /// Element indices, the first of which is `offset`.
    case index(offset: Int)
    /// In the epilogue of a step: the result of the step with this index.
    case core(Int)
  }

  var arguments: [Argument]
  var results: [MemoryLocation]
  /// The slot of the memory block with the scalar bank.
  var bankSlot: Int
  /// The layouts of the tensors and indices among the arguments, then of the results. `arguments` and `results` already
  /// include the offsets of these layouts.
  var layouts: [Layout]
}

/// Lowers the steps of a plan to kernels, launches and the numbers that the launches read. Each family of steps, such
/// as reductions, has an extension.
struct PlanLowering {
  let plan: Plan
  let target: KernelTarget
  let slots: SlotTable
  /// The kernels that tuning found to be the fastest; `nil` leaves all choices to the cost models.
  let choices: TuningTable?
  /// The locations of the values in the body of a loop; `nil` in a whole plan, where the storage of each value
  /// determines its location.
  private let locations: [MemoryLocation]?
  private(set) var launches: [LoweredLaunch] = []
  /// The ranges of launches that run several times. An inner loop follows the loop that contains it.
  private(set) var loops: [LaunchLoop] = []
  /// The numbers that the launches read: extents, strides and offsets.
  private(set) var geometry: [Int64] = []
  private(set) var workspaceByteCount = 0
  /// The launches that read indices. A kernel that finds an index out of range stores the number of its site, counted
  /// from 1 in the whole plan.
  private(set) var sites: [IndexSite] = []
  /// The number of sites in the plan before `sites`: above 0 only in the body of a loop.
  private let firstSite: Int
  /// The number of launches before each step.
  private var firstLaunches: [Int] = []
  /// The choices that were made among several kernels. Tuning measures the alternatives.
  private(set) var decisions: [KernelChoice] = []
  /// The cost of the step that is being lowered.
  private var cost = StepCost(operation: "", label: "")
  /// While a part of the step, such as a sum of partial results, is lowered with the kernels of another family: that
  /// part; otherwise `nil`.
  private var part: KernelWork?

  init(_ plan: Plan, target: KernelTarget, choices: TuningTable?) {
    self.plan = plan
    self.target = target
    self.choices = choices
    slots = SlotTable(plan)
    firstSite = 0
    locations = nil
  }

  /// Creates the lowering of a loop's body, whose values are at `locations` in the memory of the whole plan.
  init(_ plan: Plan, in outer: PlanLowering, locations: [MemoryLocation]) {
    self.plan = plan
    (target, choices, slots) = (outer.target, outer.choices, outer.slots)
    firstSite = outer.firstSite + outer.sites.count
    self.locations = locations
  }

  /// Lowers all steps.
  /// - Throws: `DeviceError.unsupported` if the device cannot run a step, for example because it has no `float64`.
  mutating func run(device: String) throws(DeviceError) {
    if !target.supportsFloat64, plan.values.contains(where: { $0.dtype == .float64 }) {
      throw .unsupported(device: device, feature: "float64")
    }
    for planned in plan.steps {
      cost = plan.cost(of: planned)
      firstLaunches.append(launches.count)
      switch planned.step {
      case .elementwise(let step): lower(step)
      case .reduction(let step): lower(step)
      case .copy(let step): lower(step)
      case .pooling(let step): lower(step)
      case .attention(let step): lower(step)
      case .recurrent(let step): lower(step)
      case .convolution(let step): try lower(step, device: device)
      case .matmul(let step): lower(step)
      case .gather(let step): lower(step)
      case .scatterAdd(let step): lower(step)
      case .rowWrite(let step): lower(step)
      case .scan(let step): lower(step)
      case .sort(let step): lower(step)
      case .loop(let step): try lower(step, device: device)
      case .custom(let step): try lower(step, device: device)
      }
    }
  }

  var isCPU: Bool { target.kernelClass == .cpu }
  var width: Int { target.width }

  // MARK: - Locations

  func location(_ operand: Operand) -> MemoryLocation {
    var location = location(value: operand.value)
    location.offset += operand.layout.offset
    return location
  }

  /// Whether the steps are the body of a loop.
  var isInLoop: Bool { locations != nil }

  func location(value index: Int) -> MemoryLocation {
    if let locations { return locations[index] }
    let value = plan.values[index]
    let slot = slots.slot(of: value.storage)
    guard case .scratch(_, let byteOffset) = value.storage else { return MemoryLocation(slot: slot, offset: 0) }
    return MemoryLocation(slot: slot, offset: byteOffset / value.dtype.byteCount)
  }

  func bind(_ program: Program, _ binding: Binding) -> BoundProgram {
    var layouts: [Layout] = []
    let arguments = binding.arguments.map { argument -> BoundProgram.Argument in
      switch argument {
      case .tensor(let operand):
        layouts.append(operand.layout)
        return .tensor(location(operand))
      case .scalar(let entry): return .scalar(entry)
      case .index(let layout):
        layouts.append(layout)
        return .index(offset: layout.offset)
      case .core(let number): return .core(number)
      }
    }
    layouts += binding.results.map(\.layout)
    return BoundProgram(
      arguments: arguments, results: binding.results.map(location), bankSlot: slots.bank, layouts: layouts)
  }

  // MARK: - Launches

  /// Reserves workspace, whose contents are valid only within the step.
  mutating func needWorkspace(_ byteCount: Int) {
    workspaceByteCount = max(workspaceByteCount, byteCount)
  }

  /// Records that the next launch reads indices; returns the number that the launch stores if an index is out of range.
  mutating func noteIndices(_ list: IndexList) -> Int {
    sites.append(
      IndexSite(
        launch: launches.count, operation: list.indexing.operation ?? cost.operation, list: list,
        location: location(value: list.indices.value), dtype: plan.values[list.indices.value].dtype))
    return firstSite + sites.count
  }

  mutating func add(_ site: IndexSite) { sites.append(site) }

  /// Returns the number of launches of the first `count` steps.
  func launchCount(ofSteps count: Int) -> Int {
    count < firstLaunches.count ? firstLaunches[count] : launches.count
  }

  mutating func note(_ choice: KernelChoice) { decisions.append(choice) }
  mutating func add(number: Int64) { geometry.append(number) }
  mutating func add(_ launch: LoweredLaunch) { launches.append(launch) }
  mutating func add(_ loop: LaunchLoop) { loops.append(loop) }

  /// Adds a launch of the kernel in `builder`.
  /// - Parameters:
  ///   - bound: the slots of the kernel's pointers; `nil` for the slots in `builder`.
  ///   - numbers: the numbers that the kernel reads; `nil` for the numbers in `builder`.
  ///   - work: the part of the step that the kernel computes.
  mutating func launch(
    _ builder: KernelBuilder, slots bound: [Int]? = nil, numbers: [Int64]? = nil, groups: Int, localSize: Int = 1,
    _ work: KernelWork = .step()
  ) {
    guard groups > 0 else { return }
    precondition(!isCPU || localSize == 1, "a work-group of a CPU kernel has one work-item")
    let pointers = bound ?? builder.pointers.map(\.slot)
    launches.append(
      LoweredLaunch(
        kernel: builder.kernel(localSize: localSize), slots: pointers + [slots.geometry],
        tensorMaps: builder.tensorMaps,
        geometryOffset: geometry.count, groups: groups, localSize: localSize, localByteCount: builder.localByteCount,
        cost: (part ?? work).cost(of: cost)))
    geometry += numbers ?? builder.numbers
  }

  /// Lowers a part of the step with the kernels of another family.
  mutating func lower(part work: KernelWork, _ body: (inout PlanLowering) -> Void) {
    part = work
    body(&self)
    part = nil
  }
}

/// The part of a step's work that a kernel does.
enum KernelWork {
  /// A share of the step's own work, with a name if several kernels divide this work. `flops` is the number of
  /// floating-point operations if the kernel's algorithm, such as Winograd, changes that number.
  case step(share: Double = 1, flops: Double? = nil, named: String? = nil)
  /// Work that prepares or completes the step: its name, and the bytes that it reads and writes.
  case part(String, read: Int, written: Int)

  /// Returns the cost of the kernel, given the cost of the whole step.
  func cost(of step: StepCost) -> StepCost {
    var cost = step
    switch self {
    case .step(let share, let flops, let name):
      if let name { cost.label += ", \(name)" }
      cost.flops = flops ?? share * step.flops
      cost.bytesRead *= share
      cost.bytesWritten *= share
    case .part(let name, let read, let written):
      cost.label += ", \(name)"
      (cost.flops, cost.bytesRead, cost.bytesWritten) = (0, Double(read), Double(written))
    }
    return cost
  }
}
