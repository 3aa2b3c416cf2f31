import ApusDevice

/// A plan whose kernels are built and whose launches are bound.
final class GPUExecutable<Driver: GPUDriver>: Executable, @unchecked Sendable {
  let recording: Driver.Recording
  /// The costs of the launches, and the tag of the first launch. The tags of the other launches follow in order.
  let costs: [StepCost]
  let firstTag: Int
  let slots: SlotTable
  let scalars: [Lane]
  /// Sizes of the plan's slabs, then of the workspace.
  let scratchSizes: [Int]
  /// The number of launches up to the last check of indices, and the number of launches before inputs are overwritten.
  let checkedLaunches: Int
  let preservingLaunches: Int
  /// The ranges of launches that are started together, if indices are checked and if they are not.
  let checkedRanges: [Range<Int>]
  let uncheckedRanges: [Range<Int>]
  /// The launches that read indices. Site `i` stores the number `i + 1` in the fault register.
  let sites: [IndexSite]
  let kernels: [KernelSource]
  var runCount = 0
  let bank: GPUBuffer<Driver>
  let geometry: GPUBuffer<Driver>
  /// The contents of the scalar bank, as 8-byte entries.
  var bankContents: [UInt64] = []

  /// - Parameter isStepwise: whether launches are started one at a time; the launches of a loop run together.
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

extension Launch {
  fileprivate init(lowered launch: LoweredLaunch, module: Module, tag: Int) {
    self.init(
      module: module, kernel: launch.kernel.name, label: "\(launch.cost.operation) (\(launch.cost.label))",
      slots: launch.slots, geometryOffset: Int32(launch.geometryOffset), groups: launch.groups,
      localSize: launch.localSize, localByteCount: launch.localByteCount, tag: tag)
  }
}

extension GPUDevice {
  func prepare(_ plan: Plan) throws(DeviceError) -> any Executable {
    try tuneSteps(of: plan)
    return try executable(of: plan, tuner.choices)
  }

  func lower(_ plan: Plan, _ choices: TuningTable) throws(DeviceError) -> PlanLowering {
    var lowering = PlanLowering(plan, target: driver.target, choices: choices)
    try lowering.run(device: info.identifier)
    return lowering
  }

  /// Builds the kernels of a plan in the given shapes and binds its launches.
  func executable(of plan: Plan, _ choices: TuningTable) throws(DeviceError) -> GPUExecutable<Driver> {
    let lowering = try lower(plan, choices)
    return try lock.withLock { () throws(DeviceError) -> GPUExecutable<Driver> in
      let scratchSizes = plan.slabs + [lowering.workspaceByteCount]
      try scratch.reserve(scratchSizes)
      let kernels = lowering.launches.map(\.kernel)
      let modules = try programs.modules(for: kernels)
      let firstTag = launchCount
      launchCount += lowering.launches.count
      let launches = zip(lowering.launches, modules).enumerated().map { index, launch in
        Launch(lowered: launch.0, module: launch.1, tag: firstTag + index)
      }
      let recording = try driver.record(launches, loops: lowering.loops)
      return GPUExecutable<Driver>(
        recording: recording, firstTag: firstTag, plan, lowering, scratchSizes: scratchSizes, kernels: kernels,
        bank: try buffer(byteCount: 8 * plan.scalars.count),
        geometry: try buffer(of: lowering.geometry), isStepwise: options.logsLaunches)
    }
  }

  func run(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar], areIndicesKnown: Bool
  ) throws(RunFailure) {
    guard let executable = executable as? GPUExecutable<Driver> else {
      throw RunFailure(.foreign("plan", device: info.identifier))
    }
    try lock.withLock { () throws(RunFailure) in
      var hasOverwritten = false
      do throws(DeviceError) {
        let memories = try memories(of: executable, inputs: inputs, outputs: outputs, scalars: scalars)
        profile?.add(executable)
        for range in areIndicesKnown ? executable.uncheckedRanges : executable.checkedRanges {
          hasOverwritten = range.upperBound > executable.preservingLaunches
          try driver.replay(executable.recording, range, memories: memories)
          try logLaunches(of: executable)
          if !areIndicesKnown, range.upperBound == executable.checkedLaunches {
            let number = try faults.take()
            if number != 0 { throw try indexFailure(executable, memories, number: number) }
          }
        }
      } catch {
        throw RunFailure(error, hasOverwritten: hasOverwritten)
      }
      executable.runCount += 1
      if executable.runCount == 1 || executable.runCount == 16 {
        programs.noteRun(of: executable.kernels, isRepeated: executable.runCount > 1)
      }
    }
  }

  /// Runs a plan to measure its kernels, which are not stored for later processes.
  func measure(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar]
  ) throws(DeviceError) {
    guard let executable = executable as? GPUExecutable<Driver> else {
      throw .foreign("plan", device: info.identifier)
    }
    try lock.withLock { () throws(DeviceError) in
      let memories = try memories(of: executable, inputs: inputs, outputs: outputs, scalars: scalars)
      profile?.add(executable)
      for range in executable.uncheckedRanges {
        try driver.replay(executable.recording, range, memories: memories)
        try logLaunches(of: executable)
      }
      // The input values of a measurement may be out of range as indices.
      if !executable.sites.isEmpty { try faults.clear() }
    }
  }

  /// Uploads the scalars and returns the memory of each slot.
  private func memories(
    of executable: GPUExecutable<Driver>, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar]
  ) throws(DeviceError) -> [Driver.Memory] {
    try scratch.reserve(executable.scratchSizes)
    try setScalars(scalars, of: executable)
    let unused = executable.bank.block.memory
    var memories: [Driver.Memory] = []
    memories.reserveCapacity(executable.slots.count)
    for buffer in inputs { memories.append(try block(of: buffer).memory) }
    for buffer in outputs { memories.append(try block(of: buffer).memory) }
    for slab in executable.scratchSizes.indices { memories.append(scratch.memory(slab) ?? unused) }
    memories.append(executable.bank.block.memory)
    memories.append(executable.geometry.block.memory)
    memories.append(faults.memory)
    precondition(memories.count == executable.slots.count, "run: the number of buffers differs from the plan's")
    return memories
  }

  /// Uploads the scalar bank if it changed. The queue is in order, so pending runs still read their own values.
  private func setScalars(
    _ scalars: [Scalar], of executable: GPUExecutable<Driver>
  ) throws(DeviceError) {
    precondition(scalars.count == executable.scalars.count, "run: the number of scalars differs from the plan's")
    guard !scalars.isEmpty else { return }
    var contents: [UInt64] = []
    contents.reserveCapacity(scalars.count)
    for (scalar, lane) in zip(scalars, executable.scalars) { contents.append(scalar.bits(lane)) }
    guard contents != executable.bankContents else { return }
    try copyIn(contents, to: executable.bank)
    executable.bankContents = contents
  }

  private func buffer(byteCount: Int) throws(DeviceError) -> GPUBuffer<Driver> {
    GPUBuffer(byteCount: byteCount, block: try pool.take(byteCount), pool: pool)
  }

  private func buffer(of numbers: [Int64]) throws(DeviceError) -> GPUBuffer<Driver> {
    let buffer = try buffer(byteCount: 8 * numbers.count)
    try copyIn(numbers, to: buffer)
    return buffer
  }

  private func copyIn<T: BitwiseCopyable>(
    _ values: [T], to buffer: GPUBuffer<Driver>
  ) throws(DeviceError) {
    let result = values.withUnsafeBytes { bytes in
      Result { () throws(DeviceError) in try driver.copyIn(bytes, to: buffer.block.memory) }
    }
    try result.get()
  }
}
