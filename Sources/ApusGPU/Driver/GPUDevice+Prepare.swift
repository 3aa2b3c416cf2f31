import ApusDevice

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

  /// Builds the kernels of a plan, in the variants that `choices` selects, and records the launches of the plan.
  func executable(of plan: Plan, _ choices: TuningTable) throws(DeviceError) -> GPUExecutable<Driver> {
    let lowering = try lower(plan, choices)
    return try submission.withLock { state throws(DeviceError) -> GPUExecutable<Driver> in
      let scratchSizes = plan.slabs + [lowering.workspaceByteCount]
      try scratch.reserve(scratchSizes)
      let kernels = lowering.launches.map(\.kernel)
      let modules = try programs.modules(for: kernels)
      let firstTag = state.launchCount
      state.launchCount += lowering.launches.count
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

  private func buffer(of numbers: [Int64]) throws(DeviceError) -> GPUBuffer<Driver> {
    let buffer = try buffer(byteCount: 8 * numbers.count)
    try copyIn(numbers, to: buffer)
    return buffer
  }
}

extension Launch {
  fileprivate init(lowered launch: LoweredLaunch, module: Module, tag: Int) {
    self.init(
      module: module, kernel: launch.kernel.name, label: "\(launch.cost.operation) (\(launch.cost.label))",
      slots: launch.slots, geometryOffset: Int32(launch.geometryOffset), tensorMaps: launch.tensorMaps,
      groups: launch.groups, localSize: launch.localSize, localByteCount: launch.localByteCount, tag: tag)
  }
}
