import ApusDevice
import ApusSystem
import COpenBLAS
import ApusCSIMD
import Synchronization

/// The processor as a device: a thread pool, loops for its instruction set, and OpenBLAS.
///
/// `run` is synchronous. Results do not depend on the number of threads.
public final class CPUDevice: Device, @unchecked Sendable {
  public let info: DeviceInfo
  let pool: ThreadPool
  let allocator: Allocator
  let loops: UnsafePointer<csimd_table>
  private let workspaces: Workspaces
  /// Locked while a plan runs: the pool runs one job at a time.
  private let runLock = Mutex(StepLog())

  /// `true`: the kernels of matrix products read factors in their arithmetic type (lane), `float32` for 16-bit types.
  public var prefersFloat32Products: Bool { true }

  /// `bfloat16` if the device uses a processor unit that multiplies `bfloat16` elements in pairs (AVX512-BF16 or
  /// AMX-BF16), otherwise none. `pairs` holds the functions of this unit.
  public var fastProductTypes: [DType] { pairs == nil ? [] : [.bfloat16] }
  let pairs: UnsafePointer<csimd_pairs>?
  let caches: Caches

  /// Opens the device with the settings of this process's environment.
  ///
  /// `APUS_THREADS` sets the number of threads (default: all cores that this process may use). `APUS_SIMD` sets the
  /// instruction set: `avx512`, `avx2` or `baseline` (default: the best set of the machine).
  /// - Throws: `DeviceError.unavailable` if one of these variables or `APUS_CACHED_MEMORY` has an invalid value, or if
  ///   `APUS_SIMD` names an instruction set that the machine does not have.
  public static func open() throws(DeviceError) -> CPUDevice {
    try CPUDevice(
      threads: Environment["APUS_THREADS"], simd: Environment["APUS_SIMD"])
  }

  /// The properties of the device that `open` returns; starts no threads.
  /// - Throws: `DeviceError.unavailable` in the same cases as `open`.
  static func hostInfo() throws(DeviceError) -> DeviceInfo {
    try checkCacheLimit()
    let (threadCount, loops) = (try threadCount(Environment["APUS_THREADS"]), try loops(Environment["APUS_SIMD"]))
    return info(threadCount: threadCount, loops, memoryLimit: HostMemory.byteCount)
  }

  convenience init(threads: String?, simd: String?) throws(DeviceError) {
    try Self.checkCacheLimit()
    try self.init(threadCount: Self.threadCount(threads), simd: simd, memoryLimit: HostMemory.byteCount)
  }

  /// - Parameter pairs: the unit that multiplies `bfloat16` elements in pairs. If the machine lacks this unit, elements
  ///   are not multiplied in pairs. `nil` leaves the choice to `csimd_find_fast_pairs`.
  init(
    threadCount: Int, simd: String?, memoryLimit: Int, pairs unit: PairUnit? = nil, caches: Caches = .host
  ) throws(DeviceError) {
    let loops = try Self.loops(simd)
    // OpenBLAS must not use threads of its own: the pool makes calls concurrently, and the bits of a result depend on
    // the number of OpenBLAS's threads.
    openblas_use_calling_thread()
    (self.loops, self.caches) = (loops, caches)
    pairs = unit.map { csimd_find_pairs(loops, $0) } ?? csimd_find_fast_pairs(loops)
    pool = try ThreadPool(threadCount: threadCount)
    allocator = Allocator(limit: memoryLimit)
    workspaces = Workspaces(count: threadCount)
    info = Self.info(threadCount: threadCount, loops, memoryLimit: memoryLimit)
  }

  public func allocate(byteCount: Int) throws(DeviceError) -> Buffer {
    try CPUBuffer(byteCount: byteCount, allocator: allocator)
  }

  public func upload(_ source: UnsafeRawBufferPointer, to buffer: Buffer) throws(DeviceError) {
    guard let start = source.baseAddress, source.count > 0 else { return }
    try address(of: buffer).copyMemory(from: start, byteCount: source.count)
  }

  public func startDownload(_ buffer: Buffer, byteCount: Int) throws(DeviceError) -> any Download {
    let copy = try CPUBuffer(byteCount: byteCount, allocator: allocator)
    copy.pointer.copyMemory(from: try address(of: buffer), byteCount: byteCount)
    return CPUDownload(copy)
  }

  public func prepare(_ plan: Plan) throws(DeviceError) -> any Executable {
    // A plan that cannot fit into memory is rejected before its steps are prepared.
    let values = plan.slabs.reduce(0, +) + plan.outputs.reduce(0) { $0 + ($1.donatedInput == nil ? $1.byteCount : 0) }
    guard values <= info.memoryByteCount else {
      throw .outOfMemory(device: "cpu", requested: values, used: memory.used, available: info.memoryByteCount)
    }
    let executable = try CPUExecutable(plan, loops: loops, threadCount: pool.threadCount, pairs: pairs, caches: caches)
    let (own, shared) = (executable.workspaceByteCounts, executable.sharedByteCount)
    let requested = own.reduce(shared, +)
    let fits = requested <= info.memoryByteCount && runLock.withLock { _ in workspaces.reserve(own, shared: shared) }
    guard fits else {
      throw .outOfMemory(
        device: "cpu", requested: requested, used: memory.used, available: info.memoryByteCount)
    }
    return executable
  }

  public func run(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar], areIndicesKnown: Bool
  ) throws(RunFailure) {
    guard let executable = executable as? CPUExecutable else {
      throw RunFailure(.foreign("plan", device: info.identifier))
    }
    var slabs: [CPUBuffer] = []
    do throws(DeviceError) {
      for byteCount in executable.plan.slabs {
        slabs.append(try CPUBuffer(byteCount: byteCount, allocator: allocator))
      }
    } catch {
      throw RunFailure(error)
    }
    let failure: DeviceError? = runLock.withLock { log in
      executable.run(
        inputs: inputs, outputs: outputs, slabs: slabs, scalars: scalars, pool: pool,
        workspaces: workspaces, log: &log)
    }
    // A run that failed has overwritten no input: buffers of another device are detected before the first step, and
    // invalid indices are detected before a donated buffer is overwritten.
    if let failure { throw RunFailure(failure) }
  }

  public func synchronize() throws(DeviceError) {}

  public func startProfile() throws(DeviceError) {
    try runLock.withLock { log throws(DeviceError) in
      guard log.records == nil else { throw .unsupported(device: "cpu", feature: "two profiles at a time") }
      log.records = []
    }
  }

  public func finishProfile() -> [StepRecord] {
    runLock.withLock { log in
      defer { log.records = nil }
      return log.records ?? []
    }
  }

  public var memory: MemoryStatistics { allocator.statistics }

  public func releaseUnusedMemory() { allocator.releaseUnused() }
}

// MARK: - Properties

extension CPUDevice {
  private static func checkCacheLimit() throws(DeviceError) {
    if let reason = CacheLimit.environmentError { throw .unavailable(device: "cpu", reason: reason) }
  }

  /// The number of threads that `APUS_THREADS` sets. `text` is the variable's value, `nil` if it is unset.
  private static func threadCount(_ text: String?) throws(DeviceError) -> Int {
    guard let text else { return csimd_available_cores() }
    guard let count = Int(text), (1...1024).contains(count) else {
      throw .unavailable(device: "cpu", reason: "APUS_THREADS is \"\(text)\"; it must be a number from 1 to 1024")
    }
    return count
  }

  /// The instruction sets that `APUS_SIMD` can name, best first.
  static let instructionSets: [String] = ["avx512", "avx2", "baseline"]

  /// The loops of the instruction set that `APUS_SIMD` names. `name` is the variable's value, `nil` if it is unset.
  private static func loops(_ name: String?) throws(DeviceError) -> UnsafePointer<csimd_table> {
    if let loops = csimd_choose(name) { return loops }
    let known = instructionSets.filter { csimd_choose($0) != nil }
    throw .unavailable(
      device: "cpu",
      reason: "APUS_SIMD is \"\(name ?? "")\"; this machine supports \(known.joined(separator: ", "))")
  }

  private static func info(
    threadCount: Int, _ loops: UnsafePointer<csimd_table>, memoryLimit: Int
  ) -> DeviceInfo {
    DeviceInfo(
      kind: .cpu, identifier: "cpu", name: HostSystem.processorName ?? "processor", vendor: "host",
      driver: String(cString: loops.pointee.name), isDiscreteGPU: false, computeUnits: threadCount,
      memoryByteCount: memoryLimit, maximumAllocationByteCount: memoryLimit,
      alignment: Allocator.alignment, supportsFloat64: true)
  }
}

/// The start of the buffer's memory. A buffer of another device is an error.
func address(of buffer: Buffer) throws(DeviceError) -> UnsafeMutableRawPointer {
  // A cast would call a function of the Swift runtime for each buffer, and large models have hundreds of buffers. The
  // comparison of types calls no function.
  guard type(of: buffer) == CPUBuffer.self else { throw .foreign("buffer", device: "cpu") }
  return unsafeDowncast(buffer, to: CPUBuffer.self).pointer
}

/// A download that copied its bytes when it started.
private final class CPUDownload: Download {
  private let buffer: CPUBuffer

  init(_ buffer: CPUBuffer) { self.buffer = buffer }

  func wait<R>(_ body: (UnsafeRawBufferPointer) -> R) throws(DeviceError) -> R {
    body(UnsafeRawBufferPointer(start: buffer.pointer, count: buffer.byteCount))
  }
}
