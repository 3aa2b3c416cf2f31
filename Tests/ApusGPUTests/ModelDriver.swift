import ApusDevice
import Synchronization

@testable import ApusGPU

/// A simulated driver, without a device. It reveals callers that rely on more than the contract of ``GPUDriver``: work
/// stays in a queue until a call needs its results, and the host memory of a transfer is overwritten when the transfer
/// is released. Kernels are Swift functions, which are looked up by the prefix of the kernel's name.
final class ModelDriver: GPUDriver, Sendable {
  /// The bytes of a `Memory`. Work in the queue keeps the bytes alive, but not the `Memory`.
  final class Contents: @unchecked Sendable {
    var bytes: [UInt8]

    init(byteCount: Int) { bytes = [UInt8](repeating: 0, count: byteCount) }
  }

  final class Memory: Sendable {
    fileprivate let contents: Contents
    private let driver: ModelDriver
    private let byteCount: Int

    fileprivate init(_ driver: ModelDriver, byteCount: Int) {
      self.driver = driver
      self.byteCount = byteCount
      contents = Contents(byteCount: byteCount)
    }

    deinit { driver.state.withLock { $0.liveByteCount -= byteCount } }
  }

  struct Module: GPUModule {
    var source: ProgramSource

    /// The digest of the text.
    var binary: [UInt8]? { Array(ProgramStore.key(of: [source.text]).utf8) }
  }

  final class Recording {
    let launches: [Launch<Module>]
    let loops: [LaunchLoop]

    init(_ launches: [Launch<Module>], _ loops: [LaunchLoop]) { (self.launches, self.loops) = (launches, loops) }
  }

  /// One launch of a kernel: the contents of its memories, the offset of its numbers in the geometry (see `Launch`),
  /// and the number of work-items.
  typealias Kernel = @Sendable (_ memories: [Contents], _ offset: Int, _ count: Int) -> Void

  /// Host memory of a transfer. Only one owner uses it at a time.
  fileprivate struct HostBlock: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer
  }

  private struct State {
    var work: [@Sendable () -> Void] = []
    var times: [LaunchTime]?
    var clock = 0.0
    var liveByteCount = 0
    var hostBlocks: [HostBlock] = []
  }

  final class Transfer: GPUTransfer, @unchecked Sendable {
    private let driver: ModelDriver
    fileprivate let bytes: UnsafeMutableRawBufferPointer

    init(_ driver: ModelDriver, byteCount: Int) {
      self.driver = driver
      bytes = driver.hostBlock(byteCount)
    }

    deinit {
      driver.finish()
      driver.giveHostBlock(bytes)
    }

    func wait() throws(DeviceError) -> UnsafeRawBufferPointer {
      driver.finish()
      return UnsafeRawBufferPointer(bytes)
    }
  }

  let info = DeviceInfo(
    kind: .opencl, identifier: "model:0", name: "model", vendor: "", driver: "", isDiscreteGPU: true, computeUnits: 1,
    memoryByteCount: 1 << 26, maximumAllocationByteCount: 1 << 24, alignment: 128, supportsFloat64: true)
  let target: KernelTarget
  private let kernels: [String: Kernel]
  private let state = Mutex(State())

  init(kernels: [String: Kernel] = [:]) {
    self.kernels = kernels
    var target = KernelTarget(dialect: .openCL, kernelClass: .gpu, supportsFloat64: true)
    target.fingerprint = ["model"]
    target.parallelBuilds = 2
    self.target = target
  }

  deinit { state.withLock { $0.hostBlocks.forEach { $0.bytes.deallocate() } } }

  private func enqueue(_ work: @escaping @Sendable () -> Void) { state.withLock { $0.work.append(work) } }

  /// Runs the work in the queue.
  fileprivate func finish() {
    let work = state.withLock { state in
      defer { state.work = [] }
      return state.work
    }
    for item in work { item() }
  }

  func allocate(byteCount: Int) throws(DeviceError) -> Memory {
    let fits = state.withLock { state in
      guard state.liveByteCount + byteCount <= info.memoryByteCount else { return false }
      state.liveByteCount += byteCount
      return true
    }
    guard fits else {
      throw .outOfMemory(
        device: info.identifier, requested: byteCount, used: 0, available: info.memoryByteCount)
    }
    return Memory(self, byteCount: byteCount)
  }

  var freeByteCount: Int? { info.memoryByteCount - state.withLock { $0.liveByteCount } }

  func copyIn(_ source: UnsafeRawBufferPointer, to memory: Memory) throws(DeviceError) {
    let (bytes, contents) = (Array(source), memory.contents)
    enqueue { contents.bytes.replaceSubrange(..<bytes.count, with: bytes) }
  }

  func copyOut(_ memory: Memory, byteCount: Int) throws(DeviceError) -> Transfer {
    let transfer = Transfer(self, byteCount: byteCount)
    let (block, contents) = (HostBlock(bytes: transfer.bytes), memory.contents)
    enqueue { block.bytes.copyBytes(from: contents.bytes[..<byteCount]) }
    return transfer
  }

  /// Returns the host memory of a released transfer of this size, or new memory.
  fileprivate func hostBlock(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
    let reused = state.withLock { state -> HostBlock? in
      state.hostBlocks.lastIndex { $0.bytes.count == byteCount }.map { state.hostBlocks.remove(at: $0) }
    }
    return reused?.bytes ?? .allocate(byteCount: byteCount, alignment: 64)
  }

  fileprivate func giveHostBlock(_ bytes: UnsafeMutableRawBufferPointer) {
    for index in bytes.indices { bytes[index] = 0xEE }
    let block = HostBlock(bytes: bytes)
    state.withLock { $0.hostBlocks.append(block) }
  }

  /// A program builds if its text has no line `nonsense;`.
  func compile(_ programs: [ProgramSource]) -> [Result<CompiledProgram<Module>, DeviceError>] {
    programs.map { source in
      guard !source.text.contains("nonsense;") else {
        return .failure(.buildFailed(device: info.identifier, kernel: source.name, log: "nonsense"))
      }
      let module = Module(source: source)
      return .success(CompiledProgram(module: module, origin: source.binary == module.binary ? .binary : .source))
    }
  }

  func record(_ launches: [Launch<Module>], loops: [LaunchLoop]) throws(DeviceError) -> Recording {
    for launch in launches where !launch.module.source.kernels.contains(launch.kernel) {
      throw .launchFailed(device: info.identifier, kernel: launch.label, reason: "no such kernel")
    }
    return Recording(launches, loops)
  }

  func replay(_ recording: Recording, _ launches: Range<Int>, memories: [Memory]) throws(DeviceError) {
    recording.loops.forEachLaunch(in: launches) { index, shift in
      launch(recording.launches[index], memories, shift: shift ?? 0)
    }
  }

  private func launch(_ launch: Launch<Module>, _ memories: [Memory], shift: Int) {
    guard let kernel = kernels.first(where: { launch.kernel.hasPrefix($0.key + "_") })?.value else {
      fatalError("the model has no kernel \(launch.kernel)")
    }
    let bound = launch.slots.map { memories[$0].contents }
    let offset = Int(launch.geometryOffset) + shift
    enqueue { [self] in
      kernel(bound, offset, launch.groups * launch.localSize)
      state.withLock { state in
        state.clock += 1e-6
        state.times?.append(LaunchTime(tag: launch.tag, start: state.clock, duration: 1e-6))
      }
    }
  }

  @discardableResult
  func synchronize(measuring: Bool) throws(DeviceError) -> [LaunchTime] {
    finish()
    return state.withLock { state in
      defer { state.times = measuring ? [] : nil }
      return state.times ?? []
    }
  }
}
