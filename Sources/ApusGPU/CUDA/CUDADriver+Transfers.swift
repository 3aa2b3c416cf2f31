import ApusDevice
import CCUDA

/// A point in the work of a stream: the end of a copy, or the start or end of a measured launch.
final class CUDAEvent: HostCopy, @unchecked Sendable {
  private let event: CUevent
  private let context: CUDAContext

  /// Records an event after all work that was started so far on `stream`; `nil` selects the stream for work. The
  /// context must be current.
  init(_ context: CUDAContext, on stream: CUstream? = nil, hasTime: Bool = false) throws(DeviceError) {
    let flags = UInt32(hasTime ? CU_EVENT_DEFAULT : CU_EVENT_DISABLE_TIMING)
    var event: CUevent?
    try context.check(context.api.cuEventCreate(&event, flags), "the creation of an event")
    (self.event, self.context) = (event!, context)
    try context.check(context.api.cuEventRecord(event, stream ?? context.stream), "recording an event")
  }

  deinit { if context.makeCurrent() { _ = context.api.cuEventDestroy(event) } }

  var isComplete: Bool {
    context.makeCurrent() && context.api.cuEventQuery(event) != CUDA_ERROR_NOT_READY
  }

  func wait() throws(DeviceError) { try wait("a copy to the host") }

  /// Waits for the work before the event, and throws the error of this work.
  /// - Parameter activity: the work, as a noun phrase.
  func wait(_ activity: String) throws(DeviceError) {
    let isCurrent = context.makeCurrent()
    try context.check(
      isCurrent ? context.api.cuEventSynchronize(event) : CUresult(CUDA_ERROR_INVALID_CONTEXT), activity)
  }

  /// Makes later work of a stream wait for this event.
  func delay(_ stream: CUstream, _ activity: String) throws(DeviceError) {
    try context.check(context.api.cuStreamWaitEvent(stream, event, 0), activity)
  }

  /// The seconds from an earlier event to this one, after both were waited for.
  func seconds(since start: CUDAEvent) -> Double {
    var milliseconds: Float = 0
    _ = context.api.cuEventElapsedTime(&milliseconds, start.event, event)
    return Double(milliseconds) / 1000
  }
}

extension CUDADriver {
  typealias Transfer = HostTransfer<CUDAEvent>

  func copyIn(_ source: UnsafeRawBufferPointer, to memory: Memory) throws(DeviceError) {
    guard let address = source.baseAddress, source.count > 0 else { return }
    try enter()
    if source.count > HostBlocks<CUDAEvent>.largestUpload {
      try check(api.cuMemcpyHtoDAsync(memory.address, address, source.count, stream), "a copy to the device")
      return try check(api.cuStreamSynchronize(stream), "a copy to the device")
    }
    try hostBlocks.upload(source) { bytes throws(DeviceError) in
      if source.count >= CUDAUploads.smallestByteCount {
        return try uploads.copy(bytes, byteCount: source.count, to: memory.address)
      }
      try check(api.cuMemcpyHtoDAsync(memory.address, bytes, source.count, stream), "a copy to the device")
      return try eventAfterCopy()
    }
  }

  func copyOut(_ memory: Memory, byteCount: Int) throws(DeviceError) -> Transfer {
    try enter()
    return try hostBlocks.download(byteCount, self) { bytes throws(DeviceError) in
      try check(api.cuMemcpyDtoHAsync(bytes, memory.address, byteCount, stream), "a copy to the host")
      return try eventAfterCopy()
    }
  }

  /// Records an event after a copy. If that fails, the caller cannot know when the copy is complete, so the function
  /// waits for the copy before it throws.
  private func eventAfterCopy() throws(DeviceError) -> CUDAEvent {
    do throws(DeviceError) {
      return try event()
    } catch {
      _ = api.cuStreamSynchronize(stream)
      throw error
    }
  }

  /// Records an event after all work that was started so far.
  func event(hasTime: Bool = false) throws(DeviceError) -> CUDAEvent { try CUDAEvent(context, hasTime: hasTime) }
}
