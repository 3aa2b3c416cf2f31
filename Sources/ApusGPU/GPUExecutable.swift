import ApusDevice

/// A plan whose kernels are built and whose launches are bound.
final class GPUExecutable<Driver: GPUDriver>: Executable, @unchecked Sendable {
  let recording: Driver.Recording
  let slots: SlotTable
  let scalars: [Lane]
  /// Sizes of the plan's slabs, then of the workspace.
  let scratchSizes: [Int]
  let canFault: Bool
  let kernels: [KernelText]
  var runCount = 0
  let bank: GPUBuffer<Driver>
  let geometry: GPUBuffer<Driver>
  /// What the scalar bank holds, as its 8-byte entries.
  var bankContents: [UInt64] = []

  init(
    recording: Driver.Recording, slots: SlotTable, scalars: [Lane], scratchSizes: [Int], canFault: Bool,
    kernels: [KernelText], bank: GPUBuffer<Driver>, geometry: GPUBuffer<Driver>
  ) {
    self.recording = recording
    self.slots = slots
    self.scalars = scalars
    self.scratchSizes = scratchSizes
    self.canFault = canFault
    self.kernels = kernels
    self.bank = bank
    self.geometry = geometry
  }
}

extension GPUDevice {
  func prepare(_ plan: Plan) throws(DeviceError) -> any Executable {
    try tuneSteps(of: plan)
    return try executable(of: plan, tuner.choices)
  }

  func lower(_ plan: Plan, _ choices: TuningTable) throws(DeviceError) -> PlanLowering {
    var lowering = PlanLowering(plan, target: driver.target, choices: choices, faultNumber: faults.number)
    try lowering.run(device: info.identifier)
    return lowering
  }

  /// A plan with the kernels of the given shapes.
  func executable(of plan: Plan, _ choices: TuningTable) throws(DeviceError) -> GPUExecutable<Driver> {
    let lowering = try lower(plan, choices)
    lock.lock()
    defer { lock.unlock() }
    let scratchSizes = plan.slabs + [lowering.workspaceByteCount]
    try scratch.reserve(scratchSizes)
    let kernels = lowering.launches.map(\.kernel)
    let modules = try programs.modules(for: kernels)
    let recording = try driver.record(
      zip(lowering.launches, modules).map { launch, module in
        Launch(
          module: module, kernel: launch.kernel.name, slots: launch.slots,
          geometryOffset: Int32(launch.geometryOffset), groups: launch.groups, localSize: launch.localSize,
          label: launch.label)
      }, loops: lowering.loops)
    return GPUExecutable<Driver>(
      recording: recording, slots: lowering.slots, scalars: plan.scalars, scratchSizes: scratchSizes,
      canFault: lowering.canFault, kernels: kernels,
      bank: try buffer(byteCount: 8 * plan.scalars.count),
      geometry: try buffer(of: lowering.geometry))
  }

  func run(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar]
  ) throws(DeviceError) {
    try run(executable, inputs: inputs, outputs: outputs, scalars: scalars, isMeasured: false)
  }

  /// - Parameter isMeasured: Whether the kernels are being measured, and are not to be kept for later processes.
  func run(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar], isMeasured: Bool
  ) throws(DeviceError) {
    guard let executable = executable as? GPUExecutable<Driver> else {
      fatalError("device \(info.identifier) was given a plan that another device prepared")
    }
    lock.lock()
    defer { lock.unlock() }
    try scratch.reserve(executable.scratchSizes)
    try setScalars(scalars, of: executable)
    let unused = executable.bank.block.memory
    var memories: [Driver.Memory] = []
    memories.reserveCapacity(executable.slots.count)
    for buffer in inputs { memories.append(block(of: buffer).memory) }
    for buffer in outputs { memories.append(block(of: buffer).memory) }
    for slab in executable.scratchSizes.indices { memories.append(scratch.memory(slab) ?? unused) }
    memories.append(executable.bank.block.memory)
    memories.append(executable.geometry.block.memory)
    memories.append(faults.memory)
    precondition(memories.count == executable.slots.count, "run: not as many buffers as the plan has")
    if executable.canFault { faults.noteRun() }
    try driver.replay(executable.recording, memories: memories)
    executable.runCount += 1
    if !isMeasured, executable.runCount == 1 || executable.runCount == 16 {
      programs.noteRun(of: executable.kernels, isRepeated: executable.runCount > 1)
    }
  }

  /// Uploads the scalar bank where it changed. The queue is in order: runs under way read the numbers
  /// that they were started with.
  private func setScalars(
    _ scalars: [Scalar], of executable: GPUExecutable<Driver>
  ) throws(DeviceError) {
    precondition(scalars.count == executable.scalars.count, "run: not as many scalars as the plan has")
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
