import ApusDevice
import COpenCL

/// The OpenCL event of a copy. `deinit` releases it.
final class CopyEvent: HostCopy, @unchecked Sendable {
  private let event: cl_event
  private let api: OpenCLFunctions
  private let device: String

  init(_ event: cl_event, _ api: OpenCLFunctions, device: String) {
    (self.event, self.api, self.device) = (event, api, device)
  }

  deinit { _ = api.functions.clReleaseEvent(event) }

  var isComplete: Bool {
    var status: cl_int = 0
    let size = MemoryLayout<cl_int>.size
    let property = cl_event_info(CL_EVENT_COMMAND_EXECUTION_STATUS)
    guard api.functions.clGetEventInfo(event, property, size, &status, nil) == CL_SUCCESS else { return false }
    return status <= 0
  }

  func wait() throws(DeviceError) {
    var event: cl_event? = event
    let status = api.functions.clWaitForEvents(1, &event)
    guard status != CL_SUCCESS else { return }
    throw OpenCLStatus(code: status).error(device: device, activity: "a copy to the host")
  }
}

/// Page-locked memory: buffers in host memory that stay mapped.
final class PageLockedMemory: @unchecked Sendable {
  private let api: OpenCLFunctions
  private let context: cl_context
  /// The queue on which the buffers are mapped and unmapped.
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
  typealias Transfer = HostTransfer<CopyEvent>

  func copyIn(_ source: UnsafeRawBufferPointer, to memory: Memory) throws(DeviceError) {
    guard let address = source.baseAddress, source.count > 0 else { return }
    if source.count > HostBlocks<CopyEvent>.largestUpload {
      let status = api.clEnqueueWriteBuffer(
        queue, memory.object, cl_bool(CL_TRUE), 0, source.count, address, 0, nil, nil)
      return try checkMemory(status, byteCount: source.count)
    }
    try hostBlocks.upload(source) { bytes throws(DeviceError) in
      var event: cl_event?
      let status = api.clEnqueueWriteBuffer(
        queue, memory.object, cl_bool(CL_FALSE), 0, source.count, bytes, 0, nil, &event)
      try checkMemory(status, byteCount: source.count)
      return copyEvent(event)
    }
  }

  func copyOut(_ memory: Memory, byteCount: Int) throws(DeviceError) -> Transfer {
    try hostBlocks.download(byteCount, self) { bytes throws(DeviceError) in
      var event: cl_event?
      let status = api.clEnqueueReadBuffer(
        queue, memory.object, cl_bool(CL_FALSE), 0, byteCount, bytes, 0, nil, &event)
      try checkMemory(status, byteCount: byteCount)
      _ = api.clFlush(queue)
      return copyEvent(event)
    }
  }

  private func copyEvent(_ event: cl_event?) -> CopyEvent? {
    event.map { CopyEvent($0, entry.api, device: info.identifier) }
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
