import ApusDevice
import Glibc

/// A device that lowers plans to kernels and runs them through a driver.
final class GPUDevice<Driver: GPUDriver>: Device, @unchecked Sendable {
  let driver: Driver
  let options: GPUOptions
  let pool: MemoryPool<Driver>
  let programs: ProgramLibrary<Driver>
  let scratch: ScratchArena<Driver>
  let faults: FaultRegister<Driver>
  let tuner: Tuner
  /// Held while work is submitted to the driver.
  let lock = Lock()

  var info: DeviceInfo { driver.info }
  var memory: MemoryStatistics { pool.statistics }

  init(driver: Driver, options: GPUOptions) throws(DeviceError) {
    self.driver = driver
    self.options = options
    pool = MemoryPool(driver: driver, fillsNewMemory: options.fillsNewMemory)
    scratch = ScratchArena(pool: pool)
    let store = options.cacheDirectory.flatMap(ProgramStore.init(directory:))
    programs = ProgramLibrary(driver: driver, options: options, store: store)
    tuner = Tuner(target: driver.target, fingerprint: driver.fingerprint, store: store)
    faults = try FaultRegister(driver: driver, pool: pool)
  }

  func allocate(byteCount: Int) throws(DeviceError) -> Buffer {
    // The lock is required because the driver enqueues a fill of new memory.
    return try lock.withLock { () throws(DeviceError) in
      GPUBuffer(byteCount: byteCount, block: try pool.take(byteCount), pool: pool)
    }
  }

  func upload(_ source: UnsafeRawBufferPointer, to buffer: Buffer) throws(DeviceError) {
    precondition(source.count <= buffer.byteCount, "upload: more bytes than the buffer holds")
    try lock.withLock { () throws(DeviceError) in try driver.copyIn(source, to: try block(of: buffer).memory) }
  }

  func startDownload(_ buffer: Buffer, byteCount: Int) throws(DeviceError) -> any Download {
    precondition(byteCount <= buffer.byteCount, "startDownload: more bytes than the buffer holds")
    return try lock.withLock { () throws(DeviceError) -> any Download in
      let download = try GPUDownload(device: self, buffer: buffer, byteCount: byteCount)
      if byteCount > 0 { try download.start(try block(of: buffer).memory) }
      return download
    }
  }

  func synchronize() throws(DeviceError) {
    try lock.withLock { () throws(DeviceError) in
      try driver.synchronize()
      programs.storeUsed()
    }
  }

  func startProfile() throws(DeviceError) {
    try lock.withLock { () throws(DeviceError) in try driver.startProfile() }
  }

  func finishProfile() throws(DeviceError) -> [StepRecord] {
    try lock.withLock { () throws(DeviceError) in try driver.finishProfile() }
  }

  func releaseUnusedMemory() {
    lock.withLock {
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
}

/// A copy from the device to the host.
final class GPUDownload<Driver: GPUDriver>: Download, @unchecked Sendable {
  private let device: GPUDevice<Driver>
  /// Retained until the copy is done.
  private let buffer: Buffer
  private let bytes: UnsafeMutableRawBufferPointer
  private let byteCount: Int
  private var transfer: Driver.Transfer?
  private let lock = Lock()

  init(device: GPUDevice<Driver>, buffer: Buffer, byteCount: Int) throws(DeviceError) {
    var memory: UnsafeMutableRawPointer?
    guard posix_memalign(&memory, 64, max(byteCount, 1)) == 0, let memory else {
      throw .outOfMemory(device: "host", requested: byteCount, used: 0, available: HostMemory.byteCount)
    }
    self.device = device
    self.buffer = buffer
    self.byteCount = byteCount
    bytes = UnsafeMutableRawBufferPointer(start: memory, count: max(byteCount, 1))
  }

  deinit {
    // The copy writes to `bytes` until it is complete.
    if let transfer { try? device.driver.wait(transfer) }
    free(bytes.baseAddress)
  }

  func start(_ memory: Driver.Memory) throws(DeviceError) {
    transfer = try device.driver.copyOut(
      memory, to: UnsafeMutableRawBufferPointer(rebasing: bytes[..<byteCount]))
  }

  func wait<R>(_ body: (UnsafeRawBufferPointer) -> R) throws(DeviceError) -> R {
    try lock.withLock { () throws(DeviceError) -> R in
      if let transfer {
        self.transfer = nil
        try device.driver.wait(transfer)
        device.programs.storeUsed()
      }
      return body(UnsafeRawBufferPointer(rebasing: bytes[..<byteCount]))
    }
  }
}
