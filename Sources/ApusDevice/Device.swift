/// An executor of plans. A device sees steps and bytes: the planner has already lowered operations to steps.
///
/// Calls may come from any thread. Work is ordered: a `run`, `upload` or `startDownload` takes effect after all earlier
/// calls, but may be incomplete when the call returns.
public protocol Device: AnyObject, Sendable {
  /// The constant properties of the device.
  var info: DeviceInfo { get }

  /// Allocates a buffer of `byteCount` bytes; its memory returns to the device's pool when the buffer is released.
  func allocate(byteCount: Int) throws(DeviceError) -> Buffer

  /// Copies host bytes to the start of a buffer; the caller may reuse the memory of `source` as soon as the call
  /// returns.
  func upload(_ source: UnsafeRawBufferPointer, to buffer: Buffer) throws(DeviceError)

  /// Starts copying the first `byteCount` bytes of a buffer to the host. The copy follows all earlier work; the call
  /// does not wait.
  func startDownload(_ buffer: Buffer, byteCount: Int) throws(DeviceError) -> any Download

  /// Returns the condition on which the device prefers channels-last images for a pass of a convolution. In the user's
  /// tensors, images are channels-first.
  func channelsLast(
    _ geometry: ConvolutionGeometry, _ pass: Convolution.Pass, _ dtype: DType, _ inputPrecision: InputPrecision
  ) -> ChannelsLastPreference

  /// Whether the kernels of matrix products and convolutions convert 16-bit floating-point operands to `float32`. If
  /// so, the planner keeps these operands in `float32` memory, so that they are converted once.
  var prefersFloat32Products: Bool { get }

  /// The 16-bit floating-point types whose matrix products and convolutions take less time than those of `float32`.
  var fastProductTypes: [DType] { get }

  /// The precisions below `float32` to which the device rounds `float32` factors where a step allows it. Products then
  /// take less time.
  var fastInputPrecisions: [InputPrecision] { get }

  /// The 16-bit floating-point types in which attention takes less time than in `float32`. Attention steps may have
  /// factors (`Attention.factorDtype`) of these types.
  var fastAttentionTypes: [DType] { get }

  /// Compiles the kernels of a plan, or loads them from a cache. Runs of the plan use the result.
  func prepare(_ plan: Plan) throws(DeviceError) -> any Executable

  /// Runs a plan. `inputs`, `outputs` and `scalars` are in the order of the inputs, outputs and scalars of the plan.
  ///
  /// On return, all indices of gathers and scatters have been checked: an asynchronous device waits for the check, but
  /// not for the remaining work.
  /// - Parameter areIndicesKnown: whether all indices are known to be in range, so that no check is necessary.
  func run(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar], areIndicesKnown: Bool
  ) throws(RunFailure)

  /// Waits for all earlier work.
  func synchronize() throws(DeviceError)

  /// Starts recording the executed steps and their durations.
  func startProfile() throws(DeviceError)

  /// Waits for all earlier work, and returns the records since `startProfile` in order of their start times.
  func finishProfile() throws(DeviceError) -> [StepRecord]

  /// Starts autotuning: from now on, `prepare` measures the kernels of each step that several kernels can compute.
  /// - Parameter report: called with each result, on the thread that prepares the plan.
  func startTuning(report: @escaping @Sendable (TuningRecord) -> Void) throws(DeviceError)

  /// Ends autotuning, and stores the chosen kernels for later processes.
  func finishTuning() throws(DeviceError)

  /// Deletes the measured choices of kernels for this process and later ones; the built-in choices apply again.
  func forgetTuning() throws(DeviceError)

  /// The current use of device memory, in bytes.
  var memory: MemoryStatistics { get }

  /// The bytes of device memory that a buffer of `byteCount` bytes occupies.
  func footprint(ofBuffer byteCount: Int) -> Int

  /// The memory that running a plan requires, computed without allocation or compilation.
  func footprint(of plan: Plan) throws(DeviceError) -> PlanFootprint

  /// The bytes that are currently available for new buffers; cached memory counts as free.
  var availableByteCount: Int { get }

  /// Returns unused pooled memory to the system.
  func releaseUnusedMemory()
}

/// A failed run of a plan.
public struct RunFailure: Error, Sendable {
  /// The cause of the failure.
  public let error: DeviceError
  /// Whether donated inputs may have been overwritten; if `false`, all inputs are unchanged.
  public let hasOverwritten: Bool

  /// Creates a failure; by default, no input was written.
  public init(_ error: DeviceError, hasOverwritten: Bool = false) {
    self.error = error
    self.hasOverwritten = hasOverwritten
  }
}

extension Device {
  /// Runs a plan whose indices are not known to be in range.
  package func run(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar]
  ) throws(DeviceError) {
    do throws(RunFailure) {
      try run(executable, inputs: inputs, outputs: outputs, scalars: scalars, areIndicesKnown: false)
    } catch {
      throw error.error
    }
  }

  /// By default, channels stay first.
  public func channelsLast(
    _ geometry: ConvolutionGeometry, _ pass: Convolution.Pass, _ dtype: DType, _ inputPrecision: InputPrecision
  ) -> ChannelsLastPreference {
    .never
  }

  /// By default, products read 16-bit values without conversion.
  public var prefersFloat32Products: Bool { false }

  /// By default, both 16-bit types: products then read half as many bytes as in `float32`.
  public var fastProductTypes: [DType] { [.float16, .bfloat16] }

  /// By default, attention computes in `float32`.
  public var fastAttentionTypes: [DType] { [] }

  /// By default, factors are not rounded.
  public var fastInputPrecisions: [InputPrecision] { [] }

  /// By default, the device does not support profiles.
  public func startProfile() throws(DeviceError) {
    throw .unsupported(device: info.identifier, feature: "profiles")
  }

  /// By default, returns an empty list, because the default `startProfile` throws.
  public func finishProfile() throws(DeviceError) -> [StepRecord] { [] }

  /// By default, the device has only one kernel for a step, so it does not support tuning.
  public func startTuning(report: @escaping @Sendable (TuningRecord) -> Void) throws(DeviceError) {
    throw .unsupported(device: info.identifier, feature: "kernel tuning")
  }

  /// By default, does nothing, because nothing was measured.
  public func finishTuning() throws(DeviceError) {}

  /// By default, the device does not support tuning.
  public func forgetTuning() throws(DeviceError) {
    throw .unsupported(device: info.identifier, feature: "kernel tuning")
  }
}

/// A plan that a device has prepared.
public protocol Executable: AnyObject, Sendable {}

/// An asynchronous copy to the host.
public protocol Download: AnyObject, Sendable {
  /// Waits for the bytes and passes them to `body`.
  func wait<R>(_ body: (UnsafeRawBufferPointer) -> R) throws(DeviceError) -> R
}

/// Device memory. Subclasses store the address or handle of the memory, and return the memory to a pool in `deinit`.
open class Buffer: @unchecked Sendable {
  /// The usable size in bytes; the allocation may be larger.
  public let byteCount: Int

  /// Creates the base of a subclass, which provides the memory.
  public init(byteCount: Int) { self.byteCount = byteCount }
}

/// The description of a device.
public struct DeviceInfo: Hashable, Sendable {
  /// The kind of a backend.
  public enum Kind: String, Hashable, Sendable { case cpu, opencl, cuda }

  /// The kind of the backend that drives the device.
  public var kind: Kind
  /// The name for the option `--device`: `cpu`, `opencl:0`, …
  public var identifier: String
  /// The model of the device, such as the name of a processor.
  public var name: String
  /// The manufacturer that the driver reports; `host` for the CPU.
  public var vendor: String
  /// The driver and its version; for the CPU, the instruction set.
  public var driver: String
  /// Whether the device is a discrete GPU (with its own memory).
  public var isDiscreteGPU: Bool
  /// The number of compute units; for the CPU, the number of threads.
  public var computeUnits: Int
  /// The memory that can be allocated on the device, in bytes.
  public var memoryByteCount: Int
  /// The largest single buffer in bytes.
  public var maximumAllocationByteCount: Int
  /// The alignment of values inside a slab, in bytes; a power of two.
  public var alignment: Int
  /// Whether programs may compute in `float64`.
  public var supportsFloat64: Bool

  /// Creates a description from its fields.
  public init(
    kind: Kind, identifier: String, name: String, vendor: String, driver: String,
    isDiscreteGPU: Bool, computeUnits: Int, memoryByteCount: Int, maximumAllocationByteCount: Int,
    alignment: Int, supportsFloat64: Bool
  ) {
    self.kind = kind
    self.identifier = identifier
    self.name = name
    self.vendor = vendor
    self.driver = driver
    self.isDiscreteGPU = isDiscreteGPU
    self.computeUnits = computeUnits
    self.memoryByteCount = memoryByteCount
    self.maximumAllocationByteCount = maximumAllocationByteCount
    self.alignment = alignment
    self.supportsFloat64 = supportsFloat64
  }
}

/// The use of device memory, in bytes.
public struct MemoryStatistics: Hashable, Sendable {
  /// The bytes of buffers and of the memory that plans use; on the CPU, the bytes of buffers and slabs only.
  public var used: Int
  /// The highest value of `used` so far.
  public var peak: Int
  /// The bytes that are cached for reuse.
  public var pooled: Int

  /// Creates statistics from counts of bytes.
  public init(used: Int = 0, peak: Int = 0, pooled: Int = 0) {
    self.used = used
    self.peak = peak
    self.pooled = pooled
  }
}
