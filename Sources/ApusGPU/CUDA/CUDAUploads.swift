import ApusDevice
import CCUDA

/// Uploads that run at the same time as kernels.
///
/// The memory that an upload writes may be in use by earlier work, because the pool reuses memory while work is pending
/// (``MemoryPool``). So the copy stream writes to a block of this class's own, and the stream for work copies from this
/// block to the memory. It is assumed, but not measured, that this copy inside the device takes much less time than the
/// copy from the host.
final class CUDAUploads: @unchecked Sendable {
  /// The size in bytes from which an upload uses the copy stream: an estimate, not measured on a GPU. For a small
  /// upload, the second copy and three events may take longer than the upload.
  static let smallestByteCount = 256 << 10
  /// The number of blocks, which is the number of uploads that can be pending.
  static let blockCount = 3

  private struct Block {
    var address: CUdeviceptr = 0
    var capacity = 0
    /// The end of the last copy from the block; `nil` before the first.
    var isRead: CUDAEvent?
  }

  private let context: CUDAContext
  private let stream: CUstream
  private var blocks = [Block](repeating: Block(), count: blockCount)
  private var next = 0

  /// The context must be current.
  init(_ context: CUDAContext) throws(DeviceError) {
    var stream: CUstream?
    try context.check(
      context.api.cuStreamCreate(&stream, UInt32(CU_STREAM_NON_BLOCKING)), "the creation of a stream for copies")
    (self.context, self.stream) = (context, stream!)
  }

  deinit {
    guard context.makeCurrent() else { return }
    _ = context.api.cuStreamSynchronize(stream)
    for block in blocks where block.capacity > 0 { context.free(block.address) }
    _ = context.api.cuStreamDestroy(stream)
  }

  /// Starts a copy from page-locked host memory to device memory, which takes effect after all earlier work. The
  /// context must be current.
  /// - Returns: the end of the copy from the host memory.
  func copy(_ source: UnsafeRawPointer, byteCount: Int, to address: CUdeviceptr) throws(DeviceError) -> CUDAEvent {
    let (api, activity) = (context.api, "a copy to the device")
    defer { next = (next + 1) % blocks.count }
    guard try reserve(byteCount) else {
      // The device is full, so the upload waits for earlier work.
      try context.check(api.cuMemcpyHtoDAsync(address, source, byteCount, context.stream), activity)
      return try eventAfterCopy()
    }
    let block = blocks[next]
    do throws(DeviceError) {
      if let isRead = block.isRead { try isRead.delay(stream, activity) }
      try context.check(api.cuMemcpyHtoDAsync(block.address, source, byteCount, stream), activity)
      let isWritten = try CUDAEvent(context, on: stream)
      try isWritten.delay(context.stream, activity)
      try context.check(api.cuMemcpyDtoDAsync(address, block.address, byteCount, context.stream), activity)
      blocks[next].isRead = try CUDAEvent(context)
      return isWritten
    } catch {
      waitForCopies()
      throw error
    }
  }

  /// Records an event after a copy on the stream for work.
  private func eventAfterCopy() throws(DeviceError) -> CUDAEvent {
    do throws(DeviceError) { return try CUDAEvent(context) } catch {
      waitForCopies()
      throw error
    }
  }

  /// Called before an error is thrown: the caller cannot know when the copies are complete.
  private func waitForCopies() {
    _ = context.api.cuStreamSynchronize(stream)
    _ = context.api.cuStreamSynchronize(context.stream)
  }

  /// Makes the next block large enough; `false` if the device has no memory for it.
  private func reserve(_ byteCount: Int) throws(DeviceError) -> Bool {
    guard blocks[next].capacity < byteCount else { return true }
    if blocks[next].capacity > 0 { context.free(blocks[next].address) }
    blocks[next] = Block()
    // Sizes are rounded up, because after an allocation the upload waits for earlier work.
    let capacity = 1 << (Int.bitWidth - (byteCount - 1).leadingZeroBitCount)
    var address: CUdeviceptr = 0
    let status = CUDAStatus(context.allocate(capacity, &address), context.api)
    if status.isOutOfMemory { return false }
    try context.check(status.code, "an allocation for copies")
    blocks[next] = Block(address: address, capacity: capacity)
    // Another stream can use the memory after its allocation.
    blocks[next].isRead = try CUDAEvent(context)
    return true
  }
}
