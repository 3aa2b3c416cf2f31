import ApusDevice
import ApusSystem
import COpenCL
import Glibc
import Synchronization

/// The event of a copy. It is released with the last reference.
final class CopyEvent: @unchecked Sendable {
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

/// Host memory for copies in both directions. For the kernel class `gpu`, the blocks are page-locked if possible, so
/// that a GPU can access them directly. To allocate such a block, the host creates a buffer and waits until it is
/// mapped. To save these waits, blocks are reused.
final class HostBlocks: @unchecked Sendable {
  /// A block, which one copy uses at a time.
  struct Block: @unchecked Sendable {
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
  private let state = Mutex(State())

  private struct State {
    var free: [Block] = []
    /// Blocks that pending uploads read, in the order of the uploads.
    var uploads: [(block: Block, event: CopyEvent)] = []
  }

  init(_ api: OpenCLFunctions, _ context: cl_context, mapping: cl_command_queue?) {
    (self.api, self.context, self.mapping) = (api, context, mapping)
  }

  /// Returns a block of at least `byteCount` bytes that no pending copy uses; `nil` if the host is out of memory.
  func take(_ byteCount: Int) -> Block? {
    state.withLock { state in
      reclaim(&state)
      let free = state.free
      let fits = free.indices.filter { free[$0].capacity >= byteCount && free[$0].capacity <= 4 * byteCount + 4096 }
      if let best = fits.min(by: { free[$0].capacity < free[$1].capacity }) { return state.free.remove(at: best) }
      let capacity = roundUp(max(byteCount, 1), toMultipleOf: 4096)
      return mapping.flatMap { pageLocked(capacity, $0) } ?? heap(capacity)
    }
  }

  /// Makes a block available again: after the copy that `event` belongs to, or immediately if `event` is `nil`.
  func give(_ block: Block, after event: CopyEvent? = nil) {
    state.withLock { state in
      if let event { state.uploads.append((block, event)) } else { keep(block, &state) }
    }
  }

  /// Releases all blocks. No copy may be pending.
  func releaseAll() {
    state.withLock { state in
      for block in state.uploads.map(\.block) + state.free { release(block) }
      state = State()
    }
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

  private func keep(_ block: Block, _ state: inout State) {
    state.free.append(block)
    while state.free.count > Self.keptCount || state.free.reduce(0, { $0 + $1.capacity }) > Self.keptByteCount {
      release(state.free.removeFirst())
    }
  }

  private func release(_ block: Block) {
    guard let object = block.object, let mapping else { return Glibc.free(block.bytes) }
    _ = api.functions.clEnqueueUnmapMemObject(mapping, object, block.bytes, 0, nil, nil)
    _ = api.functions.clReleaseMemObject(object)
  }

  /// Makes the blocks of completed uploads available again. Uploads complete in order, so the search stops at the first
  /// pending one.
  private func reclaim(_ state: inout State) {
    let done = state.uploads.prefix { $0.event.isComplete }
    for (block, _) in done { keep(block, &state) }
    state.uploads.removeFirst(done.count)
  }
}

extension OpenCLDriver {
  /// The maximum size in bytes of an upload that is first copied to a host block. For a larger upload, `copyIn` waits
  /// until the device has read the caller's memory.
  private static let stagingLimit = 64 << 20

  /// A copy to a host block.
  final class Transfer: GPUTransfer {
    private let driver: OpenCLDriver
    private let block: HostBlocks.Block
    private let byteCount: Int
    /// `nil` once a caller has waited for the copy.
    private let event: Mutex<CopyEvent?>

    fileprivate init(_ driver: OpenCLDriver, _ block: HostBlocks.Block, byteCount: Int, _ event: CopyEvent?) {
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
