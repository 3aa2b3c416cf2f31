import ApusDevice
import COpenCL

/// The driver for OpenCL 1.2. It uses one context and one in-order queue.
final class OpenCLDriver: GPUDriver, @unchecked Sendable {
  /// A memory object, which is released with the last reference. OpenCL frees it when the commands that use it are
  /// complete.
  final class Memory: @unchecked Sendable {
    let object: cl_mem
    let byteCount: Int
    /// Distinguishes the block from an earlier block that may have had the same address.
    let number: Int
    private let api: OpenCLFunctions

    fileprivate init(object: cl_mem, byteCount: Int, number: Int, api: OpenCLFunctions) {
      (self.object, self.byteCount, self.number, self.api) = (object, byteCount, number, api)
    }

    deinit { _ = api.functions.clReleaseMemObject(object) }
  }

  final class Module: GPUModule, @unchecked Sendable {
    let program: cl_program
    let api: OpenCLFunctions

    init(program: cl_program, api: OpenCLFunctions) {
      self.program = program
      self.api = api
    }

    deinit { _ = api.functions.clReleaseProgram(program) }
  }

  let info: DeviceInfo
  private(set) var target: KernelTarget
  let entry: OpenCLEntry
  let api: COpenCLFunctions
  let options: GPUOptions
  let context: cl_context
  private(set) var queue: cl_command_queue
  /// The launches whose times are measured; `nil` while no times are measured.
  var timed: TimedLaunches?
  let hostBlocks: HostBlocks<CopyEvent>
  /// The number of blocks allocated so far.
  private var memoryCount = 0
  let builders: KernelBuilders?

  init(_ entry: OpenCLEntry, options: GPUOptions) throws(DeviceError) {
    self.entry = entry
    self.options = options
    api = entry.api.functions
    info = entry.info(forcedClass: options.kernelClass)
    target = entry.target(options.kernelClass)
    builders = KernelBuilders(entry, target)
    target.parallelBuilds = builders?.count ?? 1
    target.fingerprint = [
      entry.platformText(CL_PLATFORM_NAME), entry.platformText(CL_PLATFORM_VERSION), info.name, info.vendor,
      entry.text(CL_DEVICE_VERSION), entry.text(CL_DRIVER_VERSION), Self.buildOptions,
    ]
    var status: cl_int = 0
    var device: cl_device_id? = entry.device
    guard let context = api.clCreateContext(nil, 1, &device, nil, nil, &status) else {
      throw .unavailable(device: info.identifier, reason: "creating a context failed: \(OpenCLStatus(code: status))")
    }
    self.context = context
    do throws(DeviceError) {
      queue = try Self.queue(context, entry, measuresTimes: false)
    } catch {
      _ = api.clReleaseContext(context)
      throw error
    }
    let mapping = target.kernelClass == .gpu ? try? Self.queue(context, entry, measuresTimes: false) : nil
    let pageLocked = mapping.map { PageLockedMemory(entry.api, context, queue: $0) }
    hostBlocks = HostBlocks { pageLocked?.block($0) }
    if target.kernelClass == .gpu { target.subgroup = try first(of: entry.subgroups) }
  }

  deinit {
    _ = api.clFinish(queue)
    hostBlocks.freeAll()
    _ = api.clReleaseCommandQueue(queue)
    _ = api.clReleaseContext(context)
  }

  private static func queue(
    _ context: cl_context, _ entry: OpenCLEntry, measuresTimes: Bool
  ) throws(DeviceError) -> cl_command_queue {
    var status: cl_int = 0
    let properties = measuresTimes ? cl_command_queue_properties(CL_QUEUE_PROFILING_ENABLE) : 0
    guard let queue = entry.api.functions.clCreateCommandQueue(context, entry.device, properties, &status) else {
      throw .unavailable(device: entry.identifier, reason: "creating a queue failed: \(OpenCLStatus(code: status))")
    }
    return queue
  }

  /// Replaces the queue, which must be empty.
  func replaceQueue(measuresTimes: Bool) throws(DeviceError) {
    let next = try Self.queue(context, entry, measuresTimes: measuresTimes)
    _ = api.clReleaseCommandQueue(queue)
    queue = next
  }

  /// Throws the error of a failed call; does nothing on success.
  func check(_ status: cl_int, _ activity: @autoclosure () -> String) throws(DeviceError) {
    guard status != CL_SUCCESS else { return }
    throw OpenCLStatus(code: status).error(device: info.identifier, activity: activity())
  }

  /// Waits for all work.
  func finish() throws(DeviceError) { try check(api.clFinish(queue), "a wait for the queue") }
}

// MARK: - Memory

extension OpenCLDriver {
  func allocate(byteCount: Int) throws(DeviceError) -> Memory {
    var status: cl_int = 0
    guard
      let object = api.clCreateBuffer(context, cl_mem_flags(CL_MEM_READ_WRITE), byteCount, nil, &status)
    else {
      if OpenCLStatus(code: status).isOutOfMemory {
        throw .outOfMemory(
          device: info.identifier, requested: byteCount, used: 0, available: info.memoryByteCount)
      }
      throw OpenCLStatus(code: status).error(device: info.identifier, activity: "an allocation")
    }
    memoryCount += 1
    let memory = Memory(object: object, byteCount: byteCount, number: memoryCount, api: entry.api)
    try clear(memory)
    return memory
  }

  /// Fills new memory with zeros, in pieces, because some drivers fail on large sizes.
  private func clear(_ memory: Memory) throws(DeviceError) {
    let piece = 256 << 20
    let byteCount = memory.byteCount & ~7
    var zero: UInt64 = 0
    for offset in stride(from: 0, to: byteCount, by: piece) {
      let size = min(piece, byteCount - offset)
      let status = api.clEnqueueFillBuffer(queue, memory.object, &zero, 8, offset, size, 0, nil, nil)
      guard status != CL_SUCCESS else { continue }
      if OpenCLStatus(code: status).isOutOfMemory {
        throw .outOfMemory(
          device: info.identifier, requested: memory.byteCount, used: 0, available: info.memoryByteCount)
      }
      throw OpenCLStatus(code: status).error(device: info.identifier, activity: "a fill of new memory")
    }
  }

  /// Only AMD's devices report free memory, in KiB.
  var freeByteCount: Int? {
    guard entry.text(CL_DEVICE_EXTENSIONS).contains("cl_amd_device_attribute_query") else { return nil }
    let globalFreeMemoryAMD: cl_device_info = 0x4039
    var kibibytes: [Int] = [0, 0]
    let size = MemoryLayout<Int>.size * kibibytes.count
    let status = api.clGetDeviceInfo(entry.device, globalFreeMemoryAMD, size, &kibibytes, nil)
    return status == CL_SUCCESS ? kibibytes[0] << 10 : nil
  }
}
