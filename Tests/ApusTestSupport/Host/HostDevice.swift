import Apus
import ApusDevice
import Synchronization

/// The memory functions of a device on the host; `ReferenceDevice` and `RecordingDevice` add the handling of plans.
///
/// New memory is filled with 0xFF (NaN, −1, neither `true` nor `false`), which reveals reads of elements that were
/// never written.
public class HostDevice: Device, @unchecked Sendable {
  public let info: DeviceInfo
  private let counters = Mutex(MemoryStatistics())

  /// Returns the device's preference for channels-last images in a pass of a convolution.
  public typealias ChannelsLastRule =
    @Sendable (ConvolutionGeometry, ApusDevice.Convolution.Pass) -> ChannelsLastPreference

  private let rule: ChannelsLastRule

  init(
    name: String, maximumAllocationByteCount: Int = 1 << 30,
    channelsLast: @escaping ChannelsLastRule = { _, _ in .never }
  ) {
    rule = channelsLast
    info = DeviceInfo(
      kind: .cpu, identifier: name, name: name, vendor: "Apus", driver: "", isDiscreteGPU: false,
      computeUnits: 1, memoryByteCount: 1 << 34,
      maximumAllocationByteCount: maximumAllocationByteCount, alignment: 64, supportsFloat64: true)
  }

  public func channelsLast(
    _ geometry: ConvolutionGeometry, _ pass: ApusDevice.Convolution.Pass, _ dtype: DType,
    _ inputPrecision: InputPrecision
  ) -> ChannelsLastPreference {
    rule(geometry, pass)
  }

  public var prefersFloat32Products: Bool { false }
  public var fastAttentionTypes: [DType] { [] }

  public func allocate(byteCount: Int) throws(DeviceError) -> Buffer {
    let limit = info.maximumAllocationByteCount
    guard byteCount <= limit else {
      throw .outOfMemory(device: info.identifier, requested: byteCount, used: memory.used, available: limit)
    }
    counters.withLock {
      $0.used += byteCount
      $0.peak = max($0.peak, $0.used)
    }
    return HostBuffer(byteCount: byteCount) { [weak self] count in
      self?.counters.withLock { $0.used -= count }
    }
  }

  public func upload(_ source: UnsafeRawBufferPointer, to buffer: Buffer) throws(DeviceError) {
    let target = (buffer as! HostBuffer).bytes
    UnsafeMutableRawBufferPointer(rebasing: target[..<source.count]).copyMemory(from: source)
  }

  public func startDownload(_ buffer: Buffer, byteCount: Int) throws(DeviceError) -> any Download {
    HostDownload(buffer: buffer as! HostBuffer, byteCount: byteCount)
  }

  public func prepare(_ plan: Plan) throws(DeviceError) -> any Executable {
    fatalError("\(type(of: self)) prepares no plans")
  }

  public func run(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar], areIndicesKnown: Bool
  ) throws(RunFailure) {
    fatalError("\(type(of: self)) runs no plans")
  }

  public func synchronize() throws(DeviceError) {}
  public var memory: MemoryStatistics { counters.withLock { $0 } }
  public func releaseUnusedMemory() {}
}

/// Host memory, released with the buffer.
public final class HostBuffer: Buffer, @unchecked Sendable {
  public let bytes: UnsafeMutableRawBufferPointer
  private let onRelease: @Sendable (Int) -> Void

  init(byteCount: Int, onRelease: @escaping @Sendable (Int) -> Void = { _ in }) {
    bytes = .allocate(byteCount: max(byteCount, 1), alignment: 64)
    bytes.initializeMemory(as: UInt8.self, repeating: 0xFF)
    self.onRelease = onRelease
    super.init(byteCount: byteCount)
  }

  deinit {
    bytes.deallocate()
    onRelease(byteCount)
  }
}

/// A copy of a buffer, made when the download starts.
private final class HostDownload: Download {
  private let bytes: [UInt8]

  init(buffer: HostBuffer, byteCount: Int) { bytes = Array(buffer.bytes[..<byteCount]) }

  func wait<R>(_ body: (UnsafeRawBufferPointer) -> R) throws(DeviceError) -> R {
    bytes.withUnsafeBytes(body)
  }
}
