import ApusDevice
import Synchronization

/// The device memory that a computation would use.
public struct PlannedMemory: Hashable, Sendable {
  /// The largest number of bytes in use at one time, including the workspaces that the device keeps.
  public var peakByteCount: Int
  /// The largest single allocation in bytes.
  public var largestByteCount: Int
}

extension ComputeDevice {
  /// Runs `body` on a planning device, which plans the work as this device would and counts the memory that the work
  /// would use.
  ///
  /// Nothing is allocated, compiled or computed: values that are read are zero. The planning device stays registered
  /// until the process ends, as all devices do; its plans are small compared to the values they describe.
  public func planning<R>(_ body: () throws -> R) throws -> (result: R, memory: PlannedMemory) {
    let backend = PlanningDevice(for: backend)
    let result = try withDevice(ComputeDevice(backend: backend), body)
    return (result, backend.planned)
  }

  /// The number of bytes that new values can use at this moment.
  public var availableByteCount: Int { backend.availableByteCount }

  /// Whether products and convolutions in a precision are faster than in `float32`. On CPUs this holds only for
  /// `bfloat16`, with AMX or, on processors that are not Intel's, with AVX512-BF16. In all other cases CPUs multiply
  /// 16-bit values as `float32`. TF32 is faster on CUDA devices of compute capability 8.0 and higher.
  public func speedsUp(_ precision: Precision) -> Bool {
    precision.productType.map(backend.fastProductTypes.contains)
      ?? backend.fastInputPrecisions.contains(precision.inputPrecision)
  }
}

/// A device that plans with the sizes and preferences of another device, but allocates and computes nothing.
final class PlanningDevice: Device, @unchecked Sendable {
  private struct Counts {
    var used = 0
    var peak = 0
    var largest = 0
    /// The sizes of the workspaces that all plans share.
    var shared: [Int] = []
    /// The number of bytes that prepared plans keep.
    var prepared = 0

    /// Updates the peak with the bytes in use plus `extra`.
    mutating func note(extra: Int = 0) {
      peak = max(peak, used + extra + prepared + shared.reduce(0, +))
    }
  }

  private let target: any Device
  private let counts = Mutex(Counts())

  init(for target: any Device) { self.target = target }

  var info: DeviceInfo { target.info }

  var planned: PlannedMemory {
    counts.withLock { PlannedMemory(peakByteCount: $0.peak, largestByteCount: $0.largest) }
  }

  var memory: MemoryStatistics { counts.withLock { MemoryStatistics(used: $0.used, peak: $0.peak) } }

  func allocate(byteCount: Int) -> Buffer {
    let taken = target.footprint(ofBuffer: byteCount)
    counts.withLock { counts in
      counts.used += taken
      counts.largest = max(counts.largest, byteCount)
      counts.note()
    }
    return PlannedBuffer(byteCount: byteCount) { [weak self] in self?.counts.withLock { $0.used -= taken } }
  }

  func upload(_ source: UnsafeRawBufferPointer, to buffer: Buffer) {}

  func startDownload(_ buffer: Buffer, byteCount: Int) -> any Download { Zeros(byteCount: byteCount) }

  func channelsLast(
    _ geometry: ConvolutionGeometry, _ pass: Convolution.Pass, _ dtype: DType, _ inputPrecision: InputPrecision
  ) -> ChannelsLastPreference {
    target.channelsLast(geometry, pass, dtype, inputPrecision)
  }

  var prefersFloat32Products: Bool { target.prefersFloat32Products }
  var fastProductTypes: [DType] { target.fastProductTypes }
  var fastInputPrecisions: [InputPrecision] { target.fastInputPrecisions }
  var fastAttentionTypes: [DType] { target.fastAttentionTypes }

  func prepare(_ plan: Plan) throws(DeviceError) -> any Executable {
    let footprint = try target.footprint(of: plan)
    counts.withLock { counts in
      counts.prepared += footprint.prepared
      for (index, size) in footprint.shared.enumerated() {
        if index == counts.shared.count { counts.shared.append(0) }
        counts.shared[index] = max(counts.shared[index], target.footprint(ofBuffer: size))
        counts.largest = max(counts.largest, size)
      }
      counts.note()
    }
    return PlannedExecutable(footprint)
  }

  func run(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar], areIndicesKnown: Bool
  ) {
    guard let executable = executable as? PlannedExecutable else { return }
    let slabs = executable.footprint.perRun
    counts.withLock { counts in
      counts.largest = max(counts.largest, slabs.max() ?? 0)
      counts.note(extra: slabs.reduce(0) { $0 + target.footprint(ofBuffer: $1) })
    }
  }

  func synchronize() {}
  func releaseUnusedMemory() {}
}

private final class PlannedExecutable: Executable {
  let footprint: PlanFootprint
  init(_ footprint: PlanFootprint) { self.footprint = footprint }
}

/// A buffer with a size but without memory.
private final class PlannedBuffer: Buffer, @unchecked Sendable {
  private let onRelease: @Sendable () -> Void

  init(byteCount: Int, onRelease: @escaping @Sendable () -> Void) {
    self.onRelease = onRelease
    super.init(byteCount: byteCount)
  }

  deinit { onRelease() }
}

/// A download of zeros: planned buffers have no contents.
private final class Zeros: Download {
  private let byteCount: Int
  init(byteCount: Int) { self.byteCount = byteCount }

  func wait<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(byteCount, 1), alignment: 64)
    defer { bytes.deallocate() }
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    return body(UnsafeRawBufferPointer(rebasing: bytes[..<byteCount]))
  }
}
