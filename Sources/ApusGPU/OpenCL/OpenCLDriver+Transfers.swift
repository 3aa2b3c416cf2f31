import ApusDevice
import ApusSystem
import COpenCL
import Synchronization

/// The event of a copy. It is released with the last reference.
final class CopyEvent: HostCopy, @unchecked Sendable {
  private let event: cl_event
  private let api: OpenCLFunctions

  init(_ event: cl_event, _ api: OpenCLFunctions) { (self.event, self.api) = (event, api) }

  deinit { _ = api.functions.clReleaseEvent(event) }

  var isComplete: Bool {
    var status: cl_int = 0
    let size = MemoryLayout<cl_int>.size
    let property = cl_event_info(CL_EVENT_COMMAND_EXECUTION_STATUS)
    guard api.functions.clGetEventInfo(event, property, size, &status, nil) == CL_SUCCESS else { return false }
    return status <= 0
  }

  /// Waits for the copy and returns its status.
  func wait() -> cl_int {
    var event: cl_event? = event
    return api.functions.clWaitForEvents(1, &event)
  }
}

/// Page-locked memory: buffers in host memory that stay mapped.
final class PageLockedMemory: @unchecked Sendable {
  private let api: OpenCLFunctions
  private let context: cl_context
  /// The queue for mapping.
  private let queue: cl_command_queue

  init(_ api: OpenCLFunctions, _ context: cl_context, queue: cl_command_queue) {
    (self.api, self.context, self.queue) = (api, context, queue)
  }

  deinit {
    _ = api.functions.clFinish(queue)
    _ = api.functions.clReleaseCommandQueue(queue)
  }

  func block(_ capacity: Int) -> HostBlock? {
    var status: cl_int = 0
    let flags = cl_mem_flags(CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR)
    guard let object = api.functions.clCreateBuffer(context, flags, capacity, nil, &status) else { return nil }
    let access = cl_map_flags(CL_MAP_READ | CL_MAP_WRITE)
    guard
      let bytes = api.functions.clEnqueueMapBuffer(
        queue, object, cl_bool(CL_TRUE), access, 0, capacity, 0, nil, nil, &status)
    else {
      _ = api.functions.clReleaseMemObject(object)
      return nil
    }
    nonisolated(unsafe) let mapped = (object, bytes)
    return HostBlock(bytes: bytes, capacity: capacity) { [self] in
      _ = api.functions.clEnqueueUnmapMemObject(queue, mapped.0, mapped.1, 0, nil, nil)
      _ = api.functions.clReleaseMemObject(mapped.0)
    }
  }
}

extension OpenCLDriver {
  /// The maximum size in bytes of an upload that is first copied to a host block. For a larger upload, `copyIn` waits
  /// until the device has read the caller's memory.
  private static let stagingLimit = 64 << 20

  /// A copy to a host block.
  final class Transfer: GPUTransfer {
    private let driver: OpenCLDriver
    private let block: HostBlock
    private let byteCount: Int
    /// `nil` once a caller has waited for the copy.
    private let event: Mutex<CopyEvent?>

    fileprivate init(_ driver: OpenCLDriver, _ block: HostBlock, byteCount: Int, _ event: CopyEvent?) {
      (self.driver, self.block, self.byteCount) = (driver, block, byteCount)
      self.event = Mutex(event)
    }

    deinit {
      _ = try? wait()
      driver.hostBlocks.give(block)
    }

    func wait() throws(DeviceError) -> UnsafeRawBufferPointer {
      try event.withLock { event throws(DeviceError) in
        guard let pending = event else { return }
        event = nil
        try driver.check(pending.wait(), "a copy to the host")
      }
      return UnsafeRawBufferPointer(start: block.bytes, count: byteCount)
    }
  }

  func copyIn(_ source: UnsafeRawBufferPointer, to memory: Memory) throws(DeviceError) {
    guard let address = source.baseAddress, source.count > 0 else { return }
    if source.count > Self.stagingLimit {
      let status = api.clEnqueueWriteBuffer(
        queue, memory.object, cl_bool(CL_TRUE), 0, source.count, address, 0, nil, nil)
      return try checkMemory(status, byteCount: source.count)
    }
    let block = try hostBlock(source.count)
    block.bytes.copyMemory(from: address, byteCount: source.count)
    var event: cl_event?
    let status = api.clEnqueueWriteBuffer(
      queue, memory.object, cl_bool(CL_FALSE), 0, source.count, block.bytes, 0, nil, &event)
    hostBlocks.give(block, after: copyEvent(event))
    try checkMemory(status, byteCount: source.count)
  }

  func copyOut(_ memory: Memory, byteCount: Int) throws(DeviceError) -> Transfer {
    let block = try hostBlock(byteCount)
    guard byteCount > 0 else { return Transfer(self, block, byteCount: 0, nil) }
    var event: cl_event?
    let status = api.clEnqueueReadBuffer(
      queue, memory.object, cl_bool(CL_FALSE), 0, byteCount, block.bytes, 0, nil, &event)
    let transfer = Transfer(self, block, byteCount: byteCount, copyEvent(event))
    try checkMemory(status, byteCount: byteCount)
    _ = api.clFlush(queue)
    return transfer
  }

  private func copyEvent(_ event: cl_event?) -> CopyEvent? { event.map { CopyEvent($0, entry.api) } }

  private func hostBlock(_ byteCount: Int) throws(DeviceError) -> HostBlock {
    if let block = hostBlocks.take(byteCount) { return block }
    throw .outOfMemory(device: "host", requested: byteCount, used: 0, available: HostMemory.byteCount)
  }

  /// Throws the error of a failed copy. Drivers that allocate lazily report a lack of memory at the first use of a
  /// block.
  private func checkMemory(_ status: cl_int, byteCount: Int) throws(DeviceError) {
    guard status != CL_SUCCESS else { return }
    if OpenCLStatus(code: status).isOutOfMemory {
      throw .outOfMemory(
        device: info.identifier, requested: byteCount, used: 0, available: info.memoryByteCount)
    }
    try check(status, "a copy")
  }
}
