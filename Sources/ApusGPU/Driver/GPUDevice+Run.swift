import ApusDevice

extension GPUDevice {
  func run(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar], areIndicesKnown: Bool
  ) throws(RunFailure) {
    guard let executable = executable as? GPUExecutable<Driver> else {
      throw RunFailure(.foreign("plan", device: info.identifier))
    }
    try submission.withLock { state throws(RunFailure) in
      var hasOverwritten = false
      do throws(DeviceError) {
        let memories = try memories(of: executable, inputs: inputs, outputs: outputs, scalars: scalars)
        state.profile?.add(executable)
        for range in areIndicesKnown ? executable.uncheckedRanges : executable.checkedRanges {
          hasOverwritten = range.upperBound > executable.preservingLaunches
          try driver.replay(executable.recording, range, memories: memories)
          try logLaunches(of: executable, &state)
          if !areIndicesKnown, range.upperBound == executable.checkedLaunches {
            let number = try faults.take()
            if number != 0 { throw try indexFailure(executable, memories, number: number, &state) }
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

  /// Runs a plan to measure its kernels. Unlike `run`, does not check indices, and does not cause the kernels to be
  /// stored for later processes.
  func measure(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar]
  ) throws(DeviceError) {
    guard let executable = executable as? GPUExecutable<Driver> else {
      throw .foreign("plan", device: info.identifier)
    }
    try submission.withLock { state throws(DeviceError) in
      let memories = try memories(of: executable, inputs: inputs, outputs: outputs, scalars: scalars)
      state.profile?.add(executable)
      for range in executable.uncheckedRanges {
        try driver.replay(executable.recording, range, memories: memories)
        try logLaunches(of: executable, &state)
      }
      // The inputs of a measurement have arbitrary values, so indices among them may be out of range.
      if !executable.sites.isEmpty { try faults.clear() }
    }
  }

  /// Uploads the scalars and returns the memory blocks that a run passes to the driver, in the order of the plan's
  /// slots.
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

  /// Uploads the scalars if they differ from those of the previous run. The device runs copies and launches in order,
  /// so pending runs still read the previous scalars.
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
}
