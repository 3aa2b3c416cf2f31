import Apus
import ApusDevice
import Synchronization

/// A device that forwards calls to another device, except those for profiles, tuning, footprints and available memory.
/// `fail(_:)` makes one call fail.
public final class FailingDevice: Device, Sendable {
  /// The call that fails; later calls succeed again.
  public enum Failure: Sendable {
    /// The allocation that follows `after` successful allocations.
    case allocation(after: Int)
    /// The next run of a plan, before its first step.
    case run
    /// The next run of a plan, after its last step, so that it has overwritten its donated inputs.
    case runAfterOverwriting
  }

  private let base: any Device
  private let next = Mutex<Failure?>(nil)
  private let error: DeviceError

  public init(_ base: any Device) {
    self.base = base
    error = .outOfMemory(device: base.info.identifier, requested: 1 << 40, used: 0, available: 0)
  }

  /// Makes the described call fail; `nil` cancels a failure that has not occurred yet.
  public func fail(_ failure: Failure?) { next.withLock { $0 = failure } }

  /// Whether the requested failure has not occurred yet.
  public var isWaiting: Bool { next.withLock { $0 != nil } }

  public var info: DeviceInfo { base.info }

  public func allocate(byteCount: Int) throws(DeviceError) -> Buffer {
    let fails = next.withLock { next in
      guard case .allocation(let count) = next else { return false }
      next = count > 0 ? .allocation(after: count - 1) : nil
      return count == 0
    }
    if fails { throw error }
    return try base.allocate(byteCount: byteCount)
  }

  public func run(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar], areIndicesKnown: Bool
  ) throws(RunFailure) {
    let failure = next.withLock { next -> Failure? in
      switch next {
      case .run, .runAfterOverwriting:
        defer { next = nil }
        return next
      default: return nil
      }
    }
    if case .run = failure { throw RunFailure(error) }
    try base.run(
      executable, inputs: inputs, outputs: outputs, scalars: scalars, areIndicesKnown: areIndicesKnown)
    if case .runAfterOverwriting = failure { throw RunFailure(error, hasOverwritten: true) }
  }

  public func upload(_ source: UnsafeRawBufferPointer, to buffer: Buffer) throws(DeviceError) {
    try base.upload(source, to: buffer)
  }

  public func startDownload(_ buffer: Buffer, byteCount: Int) throws(DeviceError) -> any Download {
    try base.startDownload(buffer, byteCount: byteCount)
  }

  public func channelsLast(
    _ geometry: ConvolutionGeometry, _ pass: ApusDevice.Convolution.Pass, _ dtype: DType,
    _ inputPrecision: InputPrecision
  ) -> ChannelsLastPreference {
    base.channelsLast(geometry, pass, dtype, inputPrecision)
  }

  public var prefersFloat32Products: Bool { base.prefersFloat32Products }
  public var fastProductTypes: [DType] { base.fastProductTypes }
  public var fastInputPrecisions: [InputPrecision] { base.fastInputPrecisions }
  public var fastAttentionTypes: [DType] { base.fastAttentionTypes }

  public func prepare(_ plan: Plan) throws(DeviceError) -> any Executable { try base.prepare(plan) }
  public func synchronize() throws(DeviceError) { try base.synchronize() }
  public var memory: MemoryStatistics { base.memory }
  public func releaseUnusedMemory() { base.releaseUnusedMemory() }
}
