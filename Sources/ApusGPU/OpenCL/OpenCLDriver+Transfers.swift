import ApusDevice
import ApusSystem
import COpenCL
import Glibc

/// Host memory for copies in both directions. Blocks are reused. On GPUs they are page-locked: copies of page-locked
/// memory are faster, but its allocation takes long.
final class HostBlocks: @unchecked Sendable {
  struct Block {
    fileprivate(set) var bytes: UnsafeMutableRawPointer
    fileprivate var capacity: Int
    /// The OpenCL object that is mapped to the block's memory; `nil` for heap memory.
    fileprivate var object: cl_mem?
  }

  /// The maximum number of unused blocks that are kept, and the maximum number of bytes in them.
  private static let keptCount = 16
  private static let keptByteCount = 256 << 20

  private let api: OpenCLFunctions
  private let context: cl_context
  /// The queue for mapping page-locked memory; `nil` if all memory is heap memory.
  private let mapping: cl_command_queue?
  private let lock = Lock()
  private var free: [Block] = []
  /// Blocks that pending uploads read, in the order of the uploads.
  private var uploads: [(block: Block, event: cl_event?)] = []

  init(_ api: OpenCLFunctions, _ context: cl_context, mapping: cl_command_queue?) {
    (self.api, self.context, self.mapping) = (api, context, mapping)
  }

  /// Returns a block of at least `byteCount` bytes that no pending copy uses; `nil` if the host is out of memory.
  func take(_ byteCount: Int) -> Block? {
    lock.withLock { () -> Block? in
      reclaim()
      let fits = free.indices.filter { free[$0].capacity >= byteCount && free[$0].capacity <= 4 * byteCount + 4096 }
      if let best = fits.min(by: { free[$0].capacity < free[$1].capacity }) { return free.remove(at: best) }
      let capacity = (max(byteCount, 1) + 4095) & ~4095
      return mapping.flatMap { pageLocked(capacity, $0) } ?? heap(capacity)
    }
  }

  /// Makes a block available again, after the copy that `event` belongs to.
  func give(_ block: Block, after event: cl_event? = nil) {
    lock.withLock {
      if let event { uploads.append((block, event)) } else { keep(block) }
    }
  }

  /// Releases all blocks. No copy may be pending.
  func releaseAll() {
    for (block, event) in uploads {
      if let event { _ = api.functions.clReleaseEvent(event) }
      release(block)
    }
    for block in free { release(block) }
    (uploads, free) = ([], [])
    if let mapping {
      _ = api.functions.clFinish(mapping)
      _ = api.functions.clReleaseCommandQueue(mapping)
    }
  }

  private func heap(_ capacity: Int) -> Block? {
    var bytes: UnsafeMutableRawPointer?
    guard posix_memalign(&bytes, 4096, capacity) == 0, let bytes else { return nil }
    return Block(bytes: bytes, capacity: capacity, object: nil)
  }

  private func pageLocked(_ capacity: Int, _ mapping: cl_command_queue) -> Block? {
    var status: cl_int = 0
    let flags = cl_mem_flags(CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR)
    guard let object = api.functions.clCreateBuffer(context, flags, capacity, nil, &status) else { return nil }
    let access = cl_map_flags(CL_MAP_READ | CL_MAP_WRITE)
    guard
      let bytes = api.functions.clEnqueueMapBuffer(
        mapping, object, cl_bool(CL_TRUE), access, 0, capacity, 0, nil, nil, &status)
    else {
      _ = api.functions.clReleaseMemObject(object)
      return nil
    }
    return Block(bytes: bytes, capacity: capacity, object: object)
  }

  private func keep(_ block: Block) {
    free.append(block)
    while free.count > Self.keptCount || free.reduce(0, { $0 + $1.capacity }) > Self.keptByteCount {
      release(free.removeFirst())
    }
  }

  private func release(_ block: Block) {
    guard let object = block.object, let mapping else { return Glibc.free(block.bytes) }
    _ = api.functions.clEnqueueUnmapMemObject(mapping, object, block.bytes, 0, nil, nil)
    _ = api.functions.clReleaseMemObject(object)
  }

  /// Makes the blocks of completed uploads available again. Uploads complete in order, so the search stops at the first
  /// pending one.
  private func reclaim() {
    let done = uploads.prefix { isComplete($0.event) }
    for (block, event) in done {
      if let event { _ = api.functions.clReleaseEvent(event) }
      keep(block)
    }
    uploads.removeFirst(done.count)
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
  /// The maximum size in bytes of an upload that is first copied to a host block. Larger uploads wait for the queue.
  private static let stagingLimit = 64 << 20

  /// A copy to a host block.
  final class Transfer: GPUTransfer, @unchecked Sendable {
    private let driver: OpenCLDriver
    private let block: HostBlocks.Block
    private let byteCount: Int
    private let lock = Lock()
    /// `nil` after the copy was waited for.
    private var event: cl_event?

    fileprivate init(_ driver: OpenCLDriver, _ block: HostBlocks.Block, byteCount: Int, _ event: cl_event?) {
      (self.driver, self.block, self.byteCount, self.event) = (driver, block, byteCount, event)
    }

    deinit {
      _ = try? wait()
      driver.hostBlocks.give(block)
    }

    func wait() throws(DeviceError) -> UnsafeRawBufferPointer {
      try lock.withLock { () throws(DeviceError) in
        guard event != nil else { return }
        let status = driver.api.clWaitForEvents(1, &event)
        if let event { _ = driver.api.clReleaseEvent(event) }
        event = nil
        try driver.check(status, "a copy to the host")
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
    hostBlocks.give(block, after: event)
    try checkMemory(status, byteCount: source.count)
  }

  func copyOut(_ memory: Memory, byteCount: Int) throws(DeviceError) -> Transfer {
    let block = try hostBlock(byteCount)
    guard byteCount > 0 else { return Transfer(self, block, byteCount: 0, nil) }
    var event: cl_event?
    let status = api.clEnqueueReadBuffer(
      queue, memory.object, cl_bool(CL_FALSE), 0, byteCount, block.bytes, 0, nil, &event)
    let transfer = Transfer(self, block, byteCount: byteCount, event)
    try checkMemory(status, byteCount: byteCount)
    _ = api.clFlush(queue)
    return transfer
  }

  private func hostBlock(_ byteCount: Int) throws(DeviceError) -> HostBlocks.Block {
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
