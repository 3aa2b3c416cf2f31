import ApusDevice
import ApusSystem
import CCUDA
import Synchronization

/// An event of the stream. It is destroyed with the last reference.
final class CUDAEvent: HostCopy, @unchecked Sendable {
  let event: CUevent
  private let context: CUDAContext

  /// Records an event after all work that was started so far. The context must be current.
  init(_ context: CUDAContext, hasTime: Bool = false) throws(CUDAFailure) {
    let flags = UInt32(hasTime ? CU_EVENT_DEFAULT : CU_EVENT_DISABLE_TIMING)
    var event: CUevent?
    let code = context.api.cuEventCreate(&event, flags)
    guard code == CUDA_SUCCESS, let event else { throw CUDAFailure(code: code) }
    (self.event, self.context) = (event, context)
    let recorded = context.api.cuEventRecord(event, context.stream)
    guard recorded == CUDA_SUCCESS else { throw CUDAFailure(code: recorded) }
  }

  deinit { if context.makeCurrent() { _ = context.api.cuEventDestroy(event) } }

  var isComplete: Bool {
    context.makeCurrent() && context.api.cuEventQuery(event) != CUDA_ERROR_NOT_READY
  }

  /// Waits for the event and returns the status of the work before it.
  func wait() -> CUresult {
    context.makeCurrent() ? context.api.cuEventSynchronize(event) : CUresult(CUDA_ERROR_INVALID_CONTEXT)
  }

  /// The seconds from an earlier event to this one, after both were waited for.
  func seconds(since start: CUDAEvent) -> Double {
    var milliseconds: Float = 0
    _ = context.api.cuEventElapsedTime(&milliseconds, start.event, event)
    return Double(milliseconds) / 1000
  }
}

/// A failed call of the driver.
struct CUDAFailure: Error { var code: CUresult }

extension CUDADriver {
  /// The maximum size in bytes of an upload that is first copied to a host block. For a larger upload, `copyIn` waits
  /// until the device has read the caller's memory.
  private static let stagingLimit = 64 << 20

  /// A copy to a host block.
  final class Transfer: GPUTransfer {
    private let driver: CUDADriver
    private let block: HostBlock
    private let byteCount: Int
    /// `nil` once a caller has waited for the copy.
    private let event: Mutex<CUDAEvent?>

    fileprivate init(_ driver: CUDADriver, _ block: HostBlock, byteCount: Int, _ event: CUDAEvent?) {
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
    try enter()
    if source.count > Self.stagingLimit {
      try check(api.cuMemcpyHtoDAsync(memory.address, address, source.count, stream), "a copy to the device")
      return try check(api.cuStreamSynchronize(stream), "a copy to the device")
    }
    let block = try hostBlock(source.count)
    block.bytes.copyMemory(from: address, byteCount: source.count)
    let code = api.cuMemcpyHtoDAsync(memory.address, block.bytes, source.count, stream)
    let event = try? event()
    // Without an event, no one knows when the block is free.
    if event == nil { _ = api.cuStreamSynchronize(stream) }
    hostBlocks.give(block, after: event)
    try check(code, "a copy to the device")
  }

  func copyOut(_ memory: Memory, byteCount: Int) throws(DeviceError) -> Transfer {
    try enter()
    let block = try hostBlock(byteCount)
    guard byteCount > 0 else { return Transfer(self, block, byteCount: 0, nil) }
    let code = api.cuMemcpyDtoHAsync(block.bytes, memory.address, byteCount, stream)
    guard code == CUDA_SUCCESS else {
      hostBlocks.give(block)
      throw CUDAStatus(code, api).error(device: info.identifier, activity: "a copy to the host")
    }
    return Transfer(self, block, byteCount: byteCount, try event())
  }

  /// Records an event after all work that was started so far.
  func event(hasTime: Bool = false) throws(DeviceError) -> CUDAEvent {
    do throws(CUDAFailure) {
      return try CUDAEvent(context, hasTime: hasTime)
    } catch {
      throw CUDAStatus(error.code, api).error(device: info.identifier, activity: "recording an event")
    }
  }

  private func hostBlock(_ byteCount: Int) throws(DeviceError) -> HostBlock {
    if let block = hostBlocks.take(byteCount) { return block }
    throw .outOfMemory(device: "host", requested: byteCount, used: 0, available: HostMemory.byteCount)
  }
}
