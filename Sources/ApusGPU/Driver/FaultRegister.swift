import ApusDevice

/// A 32-bit word of device memory. A kernel that finds an index out of range stores 1 plus the position of its
/// ``IndexSite`` in the plan's list of sites. The word is 0 if no kernel found such an index.
final class FaultRegister<Driver: GPUDriver>: Sendable {
  private let driver: Driver
  private let pool: MemoryPool<Driver>
  private let block: MemoryPool<Driver>.Block

  var memory: Driver.Memory { block.memory }

  init(driver: Driver, pool: MemoryPool<Driver>) throws(DeviceError) {
    self.driver = driver
    self.pool = pool
    block = try pool.take(4)
    try clear()
  }

  deinit { pool.give(block) }

  /// Waits for all enqueued work, returns the stored number and resets it to 0.
  func take() throws(DeviceError) -> Int {
    let transfer = try driver.copyOut(block.memory, byteCount: 4)
    let number = Int(try transfer.wait().load(as: Int32.self))
    if number != 0 { try clear() }
    return number
  }

  func clear() throws(DeviceError) {
    var zero: Int32 = 0
    let result = withUnsafeBytes(of: &zero) { bytes in
      Result { () throws(DeviceError) in try driver.copyIn(bytes, to: block.memory) }
    }
    try result.get()
  }
}

/// A launch that reads indices, and the location of the indices.
struct IndexSite: Sendable {
  /// The index of the launch in the plan's recording.
  var launch: Int
  var operation: String
  var list: IndexList
  var location: MemoryLocation
  var dtype: DType
  /// Whether the launch runs in a loop of several iterations, with different indices in each.
  var isRepeated = false
}

extension GPUDevice {
  /// Returns the error for the first index out of range. The launches that check indices ran with `memories`, and
  /// stored `number` in the register.
  ///
  /// Later launches may have reused the memory of the indices, so the launches run again. Before each launch that reads
  /// indices, the host searches the launch's indices in order. So the reported index does not depend on which work-item
  /// wrote to the register last. A launch in a loop reads different indices in each iteration; for such a launch, the
  /// error names only the operation.
  func indexFailure(
    _ executable: GPUExecutable<Driver>, _ memories: [Driver.Memory], number: Int, _ state: inout Submission
  ) throws(DeviceError) -> DeviceError {
    let sites = executable.sites
    var done = 0
    for site in sites where site.launch < executable.checkedLaunches && !site.isRepeated {
      if done < site.launch { try driver.replay(executable.recording, done..<site.launch, memories: memories) }
      try logLaunches(of: executable, &state)
      done = site.launch
      guard let fault = try firstFault(at: site, memories[site.location.slot]) else { continue }
      try faults.clear()
      return .indexOutOfRange(device: info.identifier, operation: site.operation, fault: fault)
    }
    try faults.clear()
    let operation = sites.indices.contains(number - 1) ? sites[number - 1].operation : "an indexing operation"
    return .indexOutOfRange(device: info.identifier, operation: operation, fault: nil)
  }

  private func firstFault(at site: IndexSite, _ memory: Driver.Memory) throws(DeviceError) -> IndexFault? {
    let size = site.dtype.byteCount
    let transfer = try driver.copyOut(memory, byteCount: (site.location.offset + site.list.reach) * size)
    let bytes = try transfer.wait()
    let start = site.location.offset * size
    return site.list.firstFault { position in
      size == 8
        ? Int(bytes.load(fromByteOffset: start + 8 * position, as: Int64.self))
        : Int(bytes.load(fromByteOffset: start + 4 * position, as: Int32.self))
    }
  }
}
