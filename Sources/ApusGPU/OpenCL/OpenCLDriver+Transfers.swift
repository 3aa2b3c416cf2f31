import ApusDevice
import COpenCL
import Glibc

/// Host copies of pending uploads: the queue reads them after the call that started the upload has returned.
struct StagingBlocks {
  private struct Block {
    var bytes: UnsafeMutableRawPointer
    var capacity: Int
    var event: cl_event?
  }

  private let api: OpenCLFunctions
  private var busy: [Block] = []
  private var free: [Block] = []

  init(_ api: OpenCLFunctions) { self.api = api }

  /// Returns a block of at least `byteCount` bytes that no pending upload reads; `nil` if the host is out of memory.
  mutating func take(_ byteCount: Int) -> (bytes: UnsafeMutableRawPointer, capacity: Int)? {
    reclaim()
    if let index = free.firstIndex(where: { $0.capacity >= byteCount && $0.capacity <= 4 * byteCount + 4096 }) {
      let block = free.remove(at: index)
      return (block.bytes, block.capacity)
    }
    let capacity = (byteCount + 4095) & ~4095
    var bytes: UnsafeMutableRawPointer?
    guard posix_memalign(&bytes, 4096, capacity) == 0, let bytes else { return nil }
    return (bytes, capacity)
  }

  /// Marks a block as in use until `event` is complete.
  mutating func put(_ bytes: UnsafeMutableRawPointer, _ capacity: Int, until event: cl_event?) {
    busy.append(Block(bytes: bytes, capacity: capacity, event: event))
  }

  mutating func releaseAll() {
    for block in busy + free {
      if let event = block.event { _ = api.functions.clReleaseEvent(event) }
      Glibc.free(block.bytes)
    }
    busy = []
    free = []
  }

  /// Frees the blocks of completed uploads. Uploads complete in order, so the search stops at the first pending one.
  private mutating func reclaim() {
    var done = 0
    while done < busy.count, isComplete(busy[done].event) { done += 1 }
    guard done > 0 else { return }
    for var block in busy[..<done] {
      if let event = block.event { _ = api.functions.clReleaseEvent(event) }
      block.event = nil
      if free.count < 16 { free.append(block) } else { Glibc.free(block.bytes) }
    }
    busy.removeFirst(done)
  }

  private func isComplete(_ event: cl_event?) -> Bool {
    guard let event else { return true }
    var status: cl_int = 0
    let size = MemoryLayout<cl_int>.size
    let property = cl_event_info(CL_EVENT_COMMAND_EXECUTION_STATUS)
    guard api.functions.clGetEventInfo(event, property, size, &status, nil) == CL_SUCCESS else { return false }
    return status <= 0
  }
}

extension OpenCLDriver {
  /// Larger uploads wait for the queue instead of being copied in host memory.
  private static let stagingLimit = 64 << 20

  /// A pending read.
  struct Transfer: @unchecked Sendable { let event: cl_event }

  func copyIn(_ source: UnsafeRawBufferPointer, to memory: Memory) throws(DeviceError) {
    guard let address = source.baseAddress, source.count > 0 else { return }
    if source.count > Self.stagingLimit {
      let status = api.clEnqueueWriteBuffer(
        queue, memory.object, cl_bool(CL_TRUE), 0, source.count, address, 0, nil, nil)
      return try checkMemory(status, byteCount: source.count)
    }
    guard let (bytes, capacity) = staging.take(source.count) else {
      throw .outOfMemory(device: "host", requested: source.count, used: 0, available: HostMemory.byteCount)
    }
    bytes.copyMemory(from: address, byteCount: source.count)
    var event: cl_event?
    let status = api.clEnqueueWriteBuffer(
      queue, memory.object, cl_bool(CL_FALSE), 0, source.count, bytes, 0, nil, &event)
    staging.put(bytes, capacity, until: event)
    try checkMemory(status, byteCount: source.count)
  }

  func copyOut(_ memory: Memory, to target: UnsafeMutableRawBufferPointer) throws(DeviceError) -> Transfer {
    var event: cl_event?
    let status = api.clEnqueueReadBuffer(
      queue, memory.object, cl_bool(CL_FALSE), 0, target.count, target.baseAddress, 0, nil, &event)
    try checkMemory(status, byteCount: target.count)
    _ = api.clFlush(queue)
    return Transfer(event: event!)
  }

  func wait(_ transfer: Transfer) throws(DeviceError) {
    var event: cl_event? = transfer.event
    let status = api.clWaitForEvents(1, &event)
    _ = api.clReleaseEvent(transfer.event)
    try check(status, "copying to the host")
  }

  /// Throws the error of a failed copy. Drivers that allocate lazily report a lack of memory at the first use of a
  /// buffer.
  private func checkMemory(_ status: cl_int, byteCount: Int) throws(DeviceError) {
    guard status != CL_SUCCESS else { return }
    if OpenCLStatus(code: status).isOutOfMemory {
      throw .outOfMemory(
        device: info.identifier, requested: byteCount, used: 0, available: info.memoryByteCount)
    }
    try check(status, "copying memory")
  }
}
