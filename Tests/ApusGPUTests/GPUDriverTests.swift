import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusGPU

/// The clauses of the contract of ``GPUDriver`` that apply to every driver: one test function for each.
private protocol DriverContract {
  func newMemoryIsZero() throws
  func workRunsInOrder() throws
  func largeUploadsRunInOrder() throws
  func workOutlivesItsMemory() throws
  func transfersOwnTheirBytes() throws
  func loopsShiftTheGeometry() throws
  func timesHaveTheTagsOfTheirLaunches() throws
  func programsAreBuiltOrReported() throws
}

/// Tests the contract with one driver. The launched kernel computes `result[i] = argument[i] + geometry[offset]` for
/// every work-item `i`. `geometry` is a buffer of 64-bit integers. `offset` is the `geometryOffset` of the launch, plus
/// the shift by the loops around the launch.
private struct Contract<Driver: GPUDriver>: DriverContract {
  let driver: Driver

  fileprivate func source(body: String = "") -> (ProgramSource, kernel: String) {
    let target = driver.target
    let isCPU = target.kernelClass == .cpu
    let kernel = KernelSource(
      family: "shifted",
      parameters: [KernelParameter("GLOBAL const int *", "argument"), KernelParameter("GLOBAL int *", "result")],
      body: body + "  const int i = GROUP_ID() * \(isCPU ? 1 : 32) + LOCAL_ID();\n"
        + "  result[i] = argument[i] + (int)geometry[0];\n", for: target.kernelClass, localSize: isCPU ? 1 : 32)
    let text = KernelPrelude.dialect(of: target) + kernel.text
    return (ProgramSource(name: kernel.name, text: text, kernels: [kernel.name]), kernel.name)
  }

  private func launch(offset: Int32 = 0, slots: [Int] = [0, 1, 2], tag: Int = 0) throws -> Launch<Driver.Module> {
    let (program, kernel) = source()
    let isCPU = driver.target.kernelClass == .cpu
    return Launch(
      module: try driver.compile([program])[0].get().module, kernel: kernel, label: "shifted", slots: slots,
      geometryOffset: offset, groups: isCPU ? 64 : 2, localSize: isCPU ? 1 : 32, localByteCount: 0, tag: tag)
  }

  private func copyIn<T: BitwiseCopyable>(_ values: [T], to memory: Driver.Memory) throws {
    // The source is overwritten after the call, because the driver must not read it later.
    var copy = values
    try copy.withUnsafeMutableBytes { bytes in
      try driver.copyIn(UnsafeRawBufferPointer(bytes), to: memory)
      for index in bytes.indices { bytes[index] = 0x77 }
    }
  }

  private func values(_ memory: Driver.Memory, _ count: Int) throws -> [Int32] {
    let transfer = try driver.copyOut(memory, byteCount: 4 * count)
    return Array(try transfer.wait().bindMemory(to: Int32.self))
  }

  func newMemoryIsZero() throws {
    // Memory that was written, released and allocated again is zero too.
    for byteCount in [8, 256, 4096, 1 << 20] {
      for _ in 0..<3 {
        let memory = try driver.allocate(byteCount: byteCount)
        let bytes = try driver.copyOut(memory, byteCount: byteCount)
        #expect(try bytes.wait().allSatisfy { $0 == 0 }, "\(byteCount)")
        try copyIn([UInt8](repeating: 0xA5, count: byteCount), to: memory)
        try driver.synchronize(measuring: false)
      }
    }
  }

  func workRunsInOrder() throws {
    let numbers = (0..<64).map(Int32.init)
    let (source, result) = (try driver.allocate(byteCount: 512), try driver.allocate(byteCount: 512))
    let geometry = try driver.allocate(byteCount: 64)
    try copyIn([100, 1000] as [Int64], to: geometry)
    // The second launch reads the results of the first.
    let recording = try driver.record(
      [launch(), launch(offset: 1, slots: [1, 0, 2], tag: 1)], loops: [])
    try copyIn(numbers, to: source)
    try driver.replay(recording, 0..<1, memories: [source, result, geometry])
    let early = try driver.copyOut(result, byteCount: 256)
    try driver.replay(recording, 1..<2, memories: [source, result, geometry])
    try driver.replay(recording, 0..<2, memories: [source, result, geometry])
    let late = try driver.copyOut(source, byteCount: 256)
    // Each copy has the values that memory had when `copyOut` was called, although the later copy is read first.
    #expect(Array(try late.wait().bindMemory(to: Int32.self)) == numbers.map { $0 + 2200 })
    #expect(Array(try early.wait().bindMemory(to: Int32.self)) == numbers.map { $0 + 100 })
    #expect(Array(try early.wait().bindMemory(to: Int32.self)) == numbers.map { $0 + 100 })
  }

  /// An upload does not change what an earlier launch reads, even if the upload is large. Afterwards, the memory has
  /// all bytes of the upload.
  func largeUploadsRunInOrder() throws {
    let count = 1 << 18
    let (source, result) = (try driver.allocate(byteCount: 4 * count), try driver.allocate(byteCount: 512))
    let geometry = try driver.allocate(byteCount: 64)
    let recording = try driver.record([launch()], loops: [])
    var early: [Driver.Transfer] = []
    for turn in 0..<8 {
      try copyIn([Int32](repeating: Int32(turn), count: turn % 2 == 0 ? count : count / 2), to: source)
      try driver.replay(recording, 0..<1, memories: [source, result, geometry])
      early.append(try driver.copyOut(result, byteCount: 256))
    }
    let expected = (0..<count).map { Int32($0 < count / 2 ? 7 : 6) }
    #expect(try values(source, count) == expected)
    for (turn, transfer) in early.enumerated() {
      #expect(try transfer.wait().bindMemory(to: Int32.self).allSatisfy { $0 == Int32(turn) })
    }
  }

  /// Work that was submitted before a memory block was released still reads the old contents of the block, even if its
  /// memory has been allocated again.
  func workOutlivesItsMemory() throws {
    let geometry = try driver.allocate(byteCount: 64)
    try copyIn([5] as [Int64], to: geometry)
    let recording = try driver.record([launch()], loops: [])
    let result = try driver.allocate(byteCount: 512)
    for turn in 0..<20 {
      do {
        let source = try driver.allocate(byteCount: 512)
        try copyIn([Int32](repeating: Int32(turn), count: 64), to: source)
        try driver.replay(recording, 0..<1, memories: [source, result, geometry])
      }
      try copyIn([Int32](repeating: -1, count: 64), to: driver.allocate(byteCount: 512))
      let transfer = try driver.copyOut(result, byteCount: 256)
      #expect(try transfer.wait().bindMemory(to: Int32.self).allSatisfy { $0 == Int32(turn) + 5 })
    }
  }

  /// The driver owns the host memory of transfers: each transfer has separate memory while it exists, and the caller
  /// need not wait for a transfer.
  func transfersOwnTheirBytes() throws {
    let memory = try driver.allocate(byteCount: 512)
    var transfers: [Driver.Transfer] = []
    for turn in 0..<40 {
      try copyIn([Int32](repeating: Int32(turn), count: 64), to: memory)
      transfers.append(try driver.copyOut(memory, byteCount: 256))
    }
    let addresses = Set(try transfers.map { UInt(bitPattern: try $0.wait().baseAddress) })
    #expect(addresses.count == transfers.count)
    for (turn, transfer) in transfers.enumerated() {
      #expect(try transfer.wait().bindMemory(to: Int32.self).allSatisfy { $0 == Int32(turn) })
    }
    transfers = []
    for _ in 0..<100 { _ = try driver.copyOut(memory, byteCount: 256) }
    #expect(try driver.copyOut(memory, byteCount: 0).wait().isEmpty)
    // The memory of released transfers is reused, so that reading a loss at each step allocates nothing.
    var seen: Set<UInt> = []
    for _ in 0..<50 { seen.insert(UInt(bitPattern: try driver.copyOut(memory, byteCount: 256).wait().baseAddress)) }
    #expect(seen.count < 20, "\(seen.count) host blocks")
  }

  func loopsShiftTheGeometry() throws {
    let (source, result) = (try driver.allocate(byteCount: 512), try driver.allocate(byteCount: 512))
    let geometry = try driver.allocate(byteCount: 256)
    try copyIn((0..<16).map { Int64(1) << $0 }, to: geometry)
    // Nested loops with 2 x 3 iterations of 2 launches. The first launch reads the numbers at the offsets 0, 2, 4, 6,
    // 8, 10, and the second launch the numbers at the offsets 1, 3, 5, 7, 9, 11.
    let recording = try driver.record(
      [launch(), launch(offset: 1, slots: [1, 0, 2], tag: 1)],
      loops: [
        LaunchLoop(range: 0..<2, count: 2, geometryStride: 6), LaunchLoop(range: 0..<2, count: 3, geometryStride: 2),
      ])
    let sum = Int32(1 << 12) - 1
    try driver.replay(recording, 0..<2, memories: [source, result, geometry])
    #expect(try values(source, 64) == [Int32](repeating: sum, count: 64))
    // Replays with the same and with other memory.
    let other = try driver.allocate(byteCount: 512)
    for turn in 1...3 {
      try driver.replay(recording, 0..<2, memories: [source, result, geometry])
      try driver.replay(recording, 0..<2, memories: [other, result, geometry])
      #expect(try values(source, 64) == [Int32](repeating: sum * Int32(turn + 1), count: 64))
      #expect(try values(other, 64) == [Int32](repeating: sum * Int32(turn), count: 64))
    }
  }

  /// Replays a range of two launches twice.
  func replayTwice() throws -> Driver.Recording {
    let memories = try (0..<3).map { _ in try driver.allocate(byteCount: 512) }
    let recording = try driver.record([launch(tag: 0), launch(tag: 1)], loops: [])
    for _ in 0..<2 { try driver.replay(recording, 0..<2, memories: memories) }
    return recording
  }

  func timesHaveTheTagsOfTheirLaunches() throws {
    let memories = try (0..<3).map { _ in try driver.allocate(byteCount: 512) }
    let recording = try driver.record([launch(tag: 70), launch(tag: 71)], loops: [])
    func replay(_ range: Range<Int>) throws { try driver.replay(recording, range, memories: memories) }
    try replay(0..<2)
    #expect(try driver.synchronize(measuring: true).isEmpty)
    try replay(0..<2)
    let first = try driver.synchronize(measuring: true)
    #expect(first.map(\.tag) == [70, 71] && first.allSatisfy { $0.duration >= 0 })
    #expect(first[0].start <= first[1].start)
    try replay(1..<2)
    try replay(0..<1)
    #expect(try driver.synchronize(measuring: false).map(\.tag) == [71, 70])
    try replay(0..<2)
    #expect(try driver.synchronize(measuring: false).isEmpty)
  }

  /// Results are in the order of the programs. A program with a valid binary is not built. A program with an invalid
  /// binary is built from its source.
  func programsAreBuiltOrReported() throws {
    let (good, kernel) = source()
    let (bad, _) = source(body: "  nonsense;\n")
    let results = driver.compile([bad, good, bad])
    #expect(results.count == 3)
    for index in [0, 2] {
      guard case .failure(.buildFailed(_, bad.name, let log)) = results[index] else {
        Issue.record("\(results[index])")
        continue
      }
      #expect(log.contains("nonsense"))
    }
    let built = try results[1].get()
    #expect(built.origin != .binary)
    // Some drivers have a binary only after the first launch.
    let launch = try self.launch()
    let memories = try (0..<3).map { _ in try driver.allocate(byteCount: 512) }
    try driver.replay(driver.record([launch], loops: []), 0..<1, memories: memories)
    try driver.synchronize(measuring: false)
    let binary = try #require(launch.module.binary)
    var stored = good
    stored.binary = binary
    let loaded = try driver.compile([stored])[0].get()
    #expect(loaded.origin == .binary)
    var again = launch
    again.module = loaded.module
    try driver.replay(driver.record([again], loops: []), 0..<1, memories: memories)
    stored.binary = [1, 2, 3]
    #expect(try driver.compile([stored])[0].get().origin != .binary)
    #expect(throws: DeviceError.self) {
      var unknown = launch
      unknown.kernel = kernel + "_missing"
      _ = try driver.record([unknown], loops: [])
    }
  }

  /// This clause applies only to drivers that report their free memory.
  func freeMemoryIsPartOfTheWhole() throws {
    let before = try #require(driver.freeByteCount)
    #expect((0...driver.info.memoryByteCount).contains(before))
    try withExtendedLifetime(driver.allocate(byteCount: 1 << 20)) {
      #expect(driver.freeByteCount! <= before)
    }
  }
}

extension Contract<CUDADriver> {
  /// Starts a kernel that runs until the host sets a flag. The flag is in host memory, which only kernels of the
  /// stand-in can read. A large upload is copied from the host while the kernel runs.
  fileprivate func uploadDuringAKernel() throws {
    let memories = try (0..<3).map { _ in try driver.allocate(byteCount: 512) }
    let target = try driver.allocate(byteCount: CUDAUploads.smallestByteCount)
    let flag = UnsafeMutablePointer<Int64>.allocate(capacity: 1)
    defer { flag.deallocate() }
    flag.pointee = 0
    // The loop has an end, so that the test fails and does not hang if the upload waits for the kernel.
    let body = """
        volatile i64 *flag = (volatile i64 *)\(UInt(bitPattern: flag))ull;
        for (i64 turn = 0; turn < 2000000000 && *flag == 0; turn += 1) {}

      """
    let (program, kernel) = source(body: body)
    let waiting = Launch(
      module: try driver.compile([program])[0].get().module, kernel: kernel, label: "waiting", slots: [0, 1, 2],
      geometryOffset: 0, groups: 1, localSize: 32, localByteCount: 0, tag: 0)
    let bytes = [UInt8](repeating: 9, count: CUDAUploads.smallestByteCount)
    func upload() throws {
      try bytes.withUnsafeBytes {
        try driver.uploads.copy($0.baseAddress!, byteCount: $0.count, to: target.address).wait()
      }
    }
    // An upload that allocates its block waits for earlier work. So each block is allocated before the kernel starts.
    for _ in 0..<CUDAUploads.blockCount { try upload() }
    try driver.replay(driver.record([waiting], loops: []), 0..<1, memories: memories)
    let end = try driver.event()
    try upload()
    #expect(!end.isComplete)
    flag.pointee = 1
    #expect(try driver.copyOut(target, byteCount: bytes.count).wait().allSatisfy { $0 == 9 })
  }
}

/// The contract of ``GPUDriver``, for the OpenCL driver with both kernel classes, for the CUDA driver with the stand-in
/// for NVIDIA's libraries, and for a driver without a device.
@DeviceThread @Suite struct GPUDriverTests {
  private static let model: [String: ModelDriver.Kernel] = [
    "shifted": { memories, offset, count in
      let number = memories[2].bytes.withUnsafeBytes { $0.load(fromByteOffset: 8 * offset, as: Int64.self) }
      for index in 0..<count {
        let value = memories[0].bytes.withUnsafeBytes { $0.load(fromByteOffset: 4 * index, as: Int32.self) }
        memories[1].bytes.withUnsafeMutableBytes {
          $0.storeBytes(of: value + Int32(number), toByteOffset: 4 * index, as: Int32.self)
        }
      }
    }
  ]

  private static func openCLDrivers() throws -> [CheckedOpenCL] {
    try Harness.classes.map { kernelClass in
      var options = GPUOptions.environment
      options.kernelClass = kernelClass
      options.cacheDirectory = nil
      return try CheckedOpenCL(options)
    }
  }

  private static func contracts() throws -> [any DriverContract] {
    try openCLDrivers().map { Contract(driver: $0) } + [
      Contract(driver: CheckedDriver(CUDAStandIn.driver())),
      Contract(driver: CheckedDriver(ModelDriver(kernels: model))),
    ]
  }

  @Test func newMemoryIsZero() throws {
    for contract in try Self.contracts() { try contract.newMemoryIsZero() }
  }

  @Test func workRunsInOrder() throws {
    for contract in try Self.contracts() { try contract.workRunsInOrder() }
  }

  @Test func largeUploadsRunInOrder() throws {
    for contract in try Self.contracts() { try contract.largeUploadsRunInOrder() }
  }

  /// The CUDA driver copies a large upload from the host while kernels run.
  @Test func largeUploadsDoNotWaitForKernels() throws {
    try Contract(driver: CUDAStandIn.driver()).uploadDuringAKernel()
  }

  @Test func workOutlivesItsMemory() throws {
    for contract in try Self.contracts() { try contract.workOutlivesItsMemory() }
  }

  @Test func transfersOwnTheirBytes() throws {
    for contract in try Self.contracts() { try contract.transfersOwnTheirBytes() }
  }

  @Test func loopsShiftTheGeometry() throws {
    for contract in try Self.contracts() { try contract.loopsShiftTheGeometry() }
  }

  /// The CUDA driver creates a graph at the second replay of a range.
  @Test func repeatedReplaysAreGraphs() throws {
    let recording = try Contract(driver: CUDAStandIn.driver()).replayTwice()
    #expect(recording.hasGraph(of: 0..<2) && !recording.hasGraph(of: 0..<1))
  }

  @Test func timesHaveTheTagsOfTheirLaunches() throws {
    for contract in try Self.contracts() { try contract.timesHaveTheTagsOfTheirLaunches() }
  }

  @Test func programsAreBuiltOrReported() throws {
    for contract in try Self.contracts() { try contract.programsAreBuiltOrReported() }
  }

  @Test(
    .enabled("the OpenCL device does not report its free memory") {
      try await openCLDrivers().allSatisfy { $0.freeByteCount != nil }
    })
  func freeMemoryOfOpenCLIsPartOfTheWhole() throws {
    for driver in try Self.openCLDrivers() { try Contract(driver: driver).freeMemoryIsPartOfTheWhole() }
  }

  @Test func freeMemoryIsPartOfTheWhole() throws {
    try Contract(driver: CheckedDriver(CUDAStandIn.driver())).freeMemoryIsPartOfTheWhole()
    try Contract(driver: CheckedDriver(ModelDriver(kernels: Self.model))).freeMemoryIsPartOfTheWhole()
    let model = ModelDriver()
    let before = try #require(model.freeByteCount)
    try withExtendedLifetime(model.allocate(byteCount: 4096)) { #expect(model.freeByteCount == before - 4096) }
    #expect(model.freeByteCount == before)
  }

  /// The source of a GPU kernel contains the work-group size of its launch, and the launch states the size of the
  /// kernel's local memory.
  @Test func launchesStateTheirResources() throws {
    let target = KernelTarget(dialect: .openCL, kernelClass: .gpu, supportsFloat64: true)
    var sums = PlanBuilder()
    let input = sums.input([Double](repeating: 1, count: 6000), .float32)
    let output = sums.output(3, .float32)
    sums.step(
      .reduction(
        Reduction(
          domain: Shape([3, 2000]), axes: [1],
          prologue: Program(inputs: [.tensor(.float32)], outputs: [Program.Output(register: 0, dtype: .float32)]),
          arguments: [.tensor(Operand(value: input, layout: Layout(contiguous: [3, 2000])))], reducers: [.sum],
          epilogue: epilogue(.float32, Operand(value: output, layout: Layout(contiguous: [3, 1])), domain: [3, 1]))))
    var lowering = PlanLowering(sums.plan, target: target, choices: nil)
    try lowering.run(device: "model:0")
    #expect(!lowering.launches.isEmpty)
    for launch in lowering.launches {
      #expect(launch.kernel.text.hasPrefix("KERNEL GROUP_SIZE(\(launch.localSize)) "))
      #expect((launch.localByteCount > 0) == launch.kernel.text.contains("LOCAL_ARRAY"))
    }
    #expect(lowering.launches.contains { $0.localByteCount >= 1024 })
  }
}

/// `GPUDevice` with a driver that has no hardware: the tests check how `GPUDevice` handles memory and transfers.
@Suite struct ModelDeviceTests {
  private func device() throws -> GPUDevice<CheckedDriver<ModelDriver>> {
    try GPUDevice(driver: CheckedDriver(ModelDriver()), options: GPUOptions())
  }

  private func upload(_ value: UInt8, to buffer: Buffer, _ device: any Device) throws {
    try [UInt8](repeating: value, count: buffer.byteCount).withUnsafeBytes { try device.upload($0, to: buffer) }
  }

  /// Each loss is read one step late, after the test has released its buffer and written the loss of the next step.
  @Test func downloadsOutliveTheirBuffers() throws {
    let device = try device()
    var pending: (any Download)?
    for step in 0..<10 as Range<UInt8> {
      let loss = try device.allocate(byteCount: 64)
      try upload(step, to: loss, device)
      let download = try device.startDownload(loss, byteCount: 64)
      if let pending { #expect(try pending.wait { Array($0) } == [UInt8](repeating: step - 1, count: 64)) }
      pending = download
    }
  }

  @Test func memoryIsReusedAndReturned() throws {
    let device = try device()
    var buffers = try (0..<8).map { _ in try device.allocate(byteCount: 4 << 20) }
    let used = device.memory.used
    #expect(device.availableByteCount <= device.info.memoryByteCount - used)
    buffers = []
    #expect(device.memory.used < used)
    // The free memory of the driver and the unused blocks of the pool are available.
    #expect(device.availableByteCount >= device.info.memoryByteCount - (1 << 20))
    // Larger blocks fit only after the pool has freed its blocks.
    buffers = try (0..<3).map { _ in try device.allocate(byteCount: 15 << 20) }
    for buffer in buffers { try upload(1, to: buffer, device) }
    device.releaseUnusedMemory()
    #expect(throws: DeviceError.self) { buffers.append(try device.allocate(byteCount: 15 << 20)) }
    #expect(throws: DeviceError.self) { try device.allocate(byteCount: 17 << 20) }
    let bytes = try device.startDownload(buffers[2], byteCount: 4).wait { Array($0) }
    #expect(bytes == [1, 1, 1, 1])
  }
}
