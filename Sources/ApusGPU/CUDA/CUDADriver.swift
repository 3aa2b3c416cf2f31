import ApusDevice
import ApusSystem
import CCUDA

/// The CUDA driver with the primary context of a device, a stream for work, and a copy stream for large uploads.
final class CUDADriver: GPUDriver, @unchecked Sendable {
  /// A block of device memory.
  final class Memory: @unchecked Sendable {
    let address: CUdeviceptr
    private let context: CUDAContext

    fileprivate init(_ address: CUdeviceptr, _ context: CUDAContext) {
      (self.address, self.context) = (address, context)
    }

    deinit { context.free(address) }
  }

  /// The device code of a program, loaded into the context.
  final class Module: GPUModule, @unchecked Sendable {
    let module: CUmodule
    let binary: [UInt8]?
    private let context: CUDAContext

    init(_ module: CUmodule, cubin: [UInt8], _ context: CUDAContext) {
      (self.module, binary, self.context) = (module, cubin, context)
    }

    deinit {
      guard context.makeCurrent() else { return }
      // Launches of the code may not have ended yet.
      _ = context.api.cuStreamSynchronize(context.stream)
      _ = context.api.cuModuleUnload(module)
    }
  }

  let entry: CUDAEntry
  let info: DeviceInfo
  let target: KernelTarget
  let context: CUDAContext
  let hostBlocks: HostBlocks<CUDAEvent>
  let uploads: CUDAUploads
  /// The launches whose times are measured; `nil` while no times are measured.
  var timed: TimedCUDALaunches?

  var api: CCUDADriver { context.api }
  var stream: CUstream { context.stream }

  init(_ entry: CUDAEntry) throws(DeviceError) {
    try entry.check()
    self.entry = entry
    info = entry.info
    target = entry.target
    let context = try CUDAContext(entry)
    self.context = context
    hostBlocks = HostBlocks { context.pinnedBlock($0) }
    uploads = try CUDAUploads(context)
  }

  deinit {
    guard context.makeCurrent() else { return }
    _ = api.cuStreamSynchronize(stream)
    hostBlocks.freeAll()
  }

  /// Throws the error of a failed call; does nothing on success.
  func check(_ code: CUresult, _ activity: @autoclosure () -> String) throws(DeviceError) {
    try context.check(code, activity())
  }

  /// Throws the error of a failed call that needs memory.
  func checkMemory(_ code: CUresult, byteCount: Int, _ activity: @autoclosure () -> String) throws(DeviceError) {
    if CUDAStatus(code, api).isOutOfMemory {
      throw .outOfMemory(device: info.identifier, requested: byteCount, used: 0, available: info.memoryByteCount)
    }
    try check(code, activity())
  }

  /// Makes the context current on this thread.
  func enter() throws(DeviceError) { try check(api.cuCtxSetCurrent(context.handle), "making the context current") }

  var freeByteCount: Int? {
    var (available, total) = (0, 0)
    guard context.makeCurrent(), api.cuMemGetInfo(&available, &total) == CUDA_SUCCESS else { return nil }
    return available
  }

  func allocate(byteCount: Int) throws(DeviceError) -> Memory {
    try enter()
    var address: CUdeviceptr = 0
    try checkMemory(context.allocate(byteCount, &address), byteCount: byteCount, "an allocation")
    let memory = Memory(address, context)
    try check(api.cuMemsetD8Async(address, 0, byteCount, stream), "a fill of new memory")
    return memory
  }
}

/// The primary context of a device, with the stream for work.
final class CUDAContext: @unchecked Sendable {
  let api: CCUDADriver
  /// The device's name, for messages.
  let identifier: String
  let handle: CUcontext
  let stream: CUstream
  private let device: CUdevice
  /// Whether memory can be allocated and freed in stream order (`cuMemAllocAsync`).
  private let hasPools: Bool

  init(_ entry: CUDAEntry) throws(DeviceError) {
    hasPools = entry.attribute(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED) != 0
    identifier = entry.identifier
    let api = entry.libraries.driver
    func check(_ code: CUresult, _ activity: String) throws(DeviceError) {
      let status = CUDAStatus(code, api)
      if status.isSuccess { return }
      throw .unavailable(
        device: entry.identifier,
        reason: status.isOutOfMemory
          ? "its memory is full; end the processes that use it, or choose another device with CUDA_VISIBLE_DEVICES"
          : "\(activity) failed: \(status)")
    }
    var handle: CUcontext?
    try check(api.cuDevicePrimaryCtxRetain(&handle, entry.device), "creating a context")
    var stream: CUstream?
    do throws(DeviceError) {
      try check(api.cuCtxSetCurrent(handle), "making the context current")
      try check(api.cuStreamCreate(&stream, UInt32(CU_STREAM_NON_BLOCKING)), "creating a stream")
    } catch {
      _ = api.cuDevicePrimaryCtxRelease(entry.device)
      throw error
    }
    (self.api, self.handle, self.stream, device) = (api, handle!, stream!, entry.device)
  }

  deinit {
    if makeCurrent() { _ = api.cuStreamDestroy(stream) }
    _ = api.cuDevicePrimaryCtxRelease(device)
  }

  /// Throws the error of a failed call; does nothing on success.
  func check(_ code: CUresult, _ activity: @autoclosure () -> String) throws(DeviceError) {
    guard code != CUDA_SUCCESS else { return }
    throw CUDAStatus(code, api).error(device: identifier, activity: activity())
  }

  /// Makes the context current on this thread; `false` if that fails.
  func makeCurrent() -> Bool { api.cuCtxSetCurrent(handle) == CUDA_SUCCESS }

  /// Allocates device memory. The context must be current.
  func allocate(_ byteCount: Int, _ address: inout CUdeviceptr) -> CUresult {
    hasPools ? api.cuMemAllocAsync(&address, byteCount, stream) : api.cuMemAlloc(&address, byteCount)
  }

  /// Frees device memory after all work that was started so far. Without pools, the driver waits for that work.
  func free(_ address: CUdeviceptr) {
    guard makeCurrent() else { return }
    _ = hasPools ? api.cuMemFreeAsync(address, stream) : api.cuMemFree(address)
  }

  /// Allocates page-locked host memory; `nil` if the allocation fails.
  func pinnedBlock(_ capacity: Int) -> HostBlock? {
    var bytes: UnsafeMutableRawPointer?
    guard makeCurrent(), api.cuMemHostAlloc(&bytes, capacity, 0) == CUDA_SUCCESS, let bytes else { return nil }
    nonisolated(unsafe) let memory = bytes
    return HostBlock(bytes: bytes, capacity: capacity) { [self] in
      if makeCurrent() { _ = api.cuMemFreeHost(memory) }
    }
  }
}
