import ApusDevice

/// One word of device memory where kernels leave the number of the step that met an index outside its
/// axis. It is read with the next download after a run that could have set it.
final class FaultRegister<Driver: GPUDriver>: @unchecked Sendable {
  /// A read of the word under way.
  final class Check: @unchecked Sendable {
    fileprivate let word = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 4)
    fileprivate var transfer: Driver.Transfer?
    fileprivate let generation: Int
    private let driver: Driver

    fileprivate init(driver: Driver, generation: Int) {
      self.driver = driver
      self.generation = generation
    }

    deinit {
      if let transfer { try? driver.wait(transfer) }
      word.deallocate()
    }
  }

  private let driver: Driver
  private let pool: MemoryPool<Driver>
  private let block: MemoryPool<Driver>.Block
  private let lock = Lock()
  private var operations: [String] = []
  private var runs = 0
  private var checkedRuns = 0

  var memory: Driver.Memory { block.memory }

  init(driver: Driver, pool: MemoryPool<Driver>) throws(DeviceError) {
    self.driver = driver
    self.pool = pool
    block = try pool.take(4)
    try clear()
  }

  deinit { pool.give(block) }

  /// The number that stands for an operation; equal names share one.
  func number(of operation: String) -> Int {
    lock.lock()
    defer { lock.unlock() }
    if let index = operations.firstIndex(of: operation) { return index + 1 }
    operations.append(operation)
    return operations.count
  }

  /// Notes that work was started that may set the word.
  func noteRun() {
    lock.lock()
    defer { lock.unlock() }
    runs += 1
  }

  /// Starts reading the word, or returns `nil` where nothing can have set it since it was last read.
  func startCheck() throws(DeviceError) -> Check? {
    lock.lock()
    defer { lock.unlock() }
    guard runs > checkedRuns else { return nil }
    let check = Check(driver: driver, generation: runs)
    check.transfer = try driver.copyOut(block.memory, to: check.word)
    return check
  }

  /// Waits for a check and throws what the word stands for.
  func finish(_ check: Check?) throws(DeviceError) {
    guard let check, let transfer = check.transfer else { return }
    check.transfer = nil
    try driver.wait(transfer)
    let number = Int(check.word.load(as: Int32.self))
    lock.lock()
    defer { lock.unlock() }
    checkedRuns = max(checkedRuns, check.generation)
    guard number > 0 else { return }
    try clear()
    throw .indexOutOfRange(
      device: driver.info.identifier,
      operation: number <= operations.count ? operations[number - 1] : "an indexing operation")
  }

  private func clear() throws(DeviceError) {
    var zero: Int32 = 0
    var failure: DeviceError?
    withUnsafeBytes(of: &zero) { bytes in
      do throws(DeviceError) { try driver.copyIn(bytes, to: block.memory) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
