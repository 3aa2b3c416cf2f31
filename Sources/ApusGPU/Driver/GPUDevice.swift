import ApusDevice
import Synchronization

/// A device that lowers plans to kernels and runs them through a driver.
final class GPUDevice<Driver: GPUDriver>: Device {
  let driver: Driver
  let options: GPUOptions
  let pool: MemoryPool<Driver>
  let programs: ProgramLibrary<Driver>
  let scratch: ScratchArena<Driver>
  let faults: FaultRegister<Driver>
  let tuner: Tuner
  /// Locked while work is submitted to the driver.
  let submission = Mutex(Submission())

  /// The state that changes when work is submitted.
  struct Submission {
    /// The record of the launches since `startProfile`; `nil` while no profile is recorded.
    var profile: LaunchProfile?
    /// The number of launches of all plans that were prepared so far. It is also the tag of the next plan's first
    /// launch: profiles identify launches by their tags, which are consecutive numbers.
    var launchCount = 0
  }

  var info: DeviceInfo { driver.info }
  var memory: MemoryStatistics { pool.statistics }

  init(driver: Driver, options: GPUOptions) throws(DeviceError) {
    self.driver = driver
    self.options = options
    pool = MemoryPool(driver: driver, fillsNewMemory: options.fillsNewMemory)
    scratch = ScratchArena(pool: pool)
    let store = options.cacheDirectory.flatMap(ProgramStore.init(directory:))
    programs = ProgramLibrary(driver: driver, options: options, store: store)
    tuner = Tuner(target: driver.target, store: store)
    faults = try FaultRegister(driver: driver, pool: pool)
    if options.logsLaunches { try driver.synchronize(measuring: true) }
  }

  func allocate(byteCount: Int) throws(DeviceError) -> Buffer {
    // The lock is required because the driver may enqueue a command that fills the new memory.
    return try submission.withLock { _ throws(DeviceError) in try buffer(byteCount: byteCount) }
  }

  func upload(_ source: UnsafeRawBufferPointer, to buffer: Buffer) throws(DeviceError) {
    precondition(source.count <= buffer.byteCount, "upload: the source is larger than the buffer")
    try submission.withLock { _ throws(DeviceError) in try driver.copyIn(source, to: try block(of: buffer).memory) }
  }

  func startDownload(_ buffer: Buffer, byteCount: Int) throws(DeviceError) -> any Download {
    precondition(byteCount <= buffer.byteCount, "startDownload: the byte count exceeds the buffer's")
    let memory = try block(of: buffer).memory
    return try submission.withLock { _ throws(DeviceError) -> any Download in
      GPUDownload(try driver.copyOut(memory, byteCount: byteCount), of: buffer, programs)
    }
  }

  func synchronize() throws(DeviceError) {
    try submission.withLock { state throws(DeviceError) in
      let times = try driver.synchronize(measuring: state.profile != nil || options.logsLaunches)
      state.profile?.add(times)
      programs.storeUsed()
    }
  }

  func releaseUnusedMemory() {
    submission.withLock { _ in
      scratch.release()
      pool.flush()
    }
  }

  func block(of buffer: Buffer) throws(DeviceError) -> MemoryPool<Driver>.Block {
    guard let buffer = buffer as? GPUBuffer<Driver> else {
      throw .foreign("buffer", device: info.identifier)
    }
    return buffer.block
  }

  /// Allocates a buffer. The caller holds the lock of `submission`.
  func buffer(byteCount: Int) throws(DeviceError) -> GPUBuffer<Driver> {
    GPUBuffer(byteCount: byteCount, block: try pool.take(byteCount), pool: pool)
  }

  /// Copies values to the start of a buffer. The caller holds the lock of `submission`.
  func copyIn<T: BitwiseCopyable>(_ values: [T], to buffer: GPUBuffer<Driver>) throws(DeviceError) {
    let result = values.withUnsafeBytes { bytes in
      Result { () throws(DeviceError) in try driver.copyIn(bytes, to: buffer.block.memory) }
    }
    try result.get()
  }
}

/// A copy from the device to the host.
final class GPUDownload<Driver: GPUDriver>: Download {
  private let transfer: Driver.Transfer
  private let programs: ProgramLibrary<Driver>
  /// Retained until the copy is done.
  private let buffer: Buffer

  init(_ transfer: Driver.Transfer, of buffer: Buffer, _ programs: ProgramLibrary<Driver>) {
    (self.transfer, self.buffer, self.programs) = (transfer, buffer, programs)
  }

  func wait<R>(_ body: (UnsafeRawBufferPointer) -> R) throws(DeviceError) -> R {
    let bytes = try transfer.wait()
    programs.storeUsed()
    return body(bytes)
  }
}
