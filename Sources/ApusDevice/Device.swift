/// What executes plans. Implementations know steps and bytes, never operations.
///
/// Calls may come from any thread. Work is ordered: a `run`, `upload` or `startDownload` takes effect
/// after everything called before it, but may still be under way when the call returns.
public protocol Device: AnyObject, Sendable {
  /// What the device is and can do; it never changes.
  var info: DeviceInfo { get }

  /// Memory for `byteCount` bytes, returned to the device's pool when the buffer is released.
  func allocate(byteCount: Int) throws(DeviceError) -> Buffer

  /// Copies host bytes to the start of a buffer; the source may be reused on return.
  func upload(_ source: UnsafeRawBufferPointer, to buffer: Buffer) throws(DeviceError)

  /// Starts copying the first `byteCount` bytes of a buffer to the host, after all work called so far
  /// and without waiting for it.
  func startDownload(_ buffer: Buffer, byteCount: Int) throws(DeviceError) -> any Download

  /// Which images of a convolution the device wants with channels last, where it has them with channels first.
  func channelsLast(
    _ geometry: ConvolutionGeometry, _ pass: Convolution.Pass, _ dtype: DType
  ) -> ChannelsLastPreference

  /// Whether products and convolutions of 16-bit floating-point numbers are faster as `float32` steps, their operands
  /// converted ahead.
  var prefersFloat32Products: Bool { get }

  /// The 16-bit types whose products and convolutions are faster than those of `float32`.
  var fastProductTypes: [DType] { get }

  /// Compiles what the plan needs. Expensive, called once per plan.
  func prepare(_ plan: Plan) throws(DeviceError) -> any Executable

  /// Runs a plan. `inputs`, `outputs` and `scalars` are parallel to the plan's.
  ///
  /// When it returns, all indices were in range: a device that finds out late waits for that, but not for the rest.
  /// - Parameter areIndicesKnown: Whether all indices are known to be in range, so that nothing need be waited for.
  func run(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar], areIndicesKnown: Bool
  ) throws(RunFailure)

  /// Waits for all work called so far.
  func synchronize() throws(DeviceError)

  /// Notes from now on what runs, and how long it takes.
  func startProfile() throws(DeviceError)

  /// Waits for all work called so far and returns what ran since `startProfile`, in the order in which it began.
  func finishProfile() throws(DeviceError) -> [StepRecord]

  /// Measures, in plans that are prepared from now on, which of the kernels that can do a step is the fastest.
  /// - Parameter report: called with each result, on the thread that prepares the plan.
  func startTuning(report: @escaping @Sendable (TuningRecord) -> Void) throws(DeviceError)

  /// Ends what `startTuning` began, and keeps the choices for later processes.
  func finishTuning() throws(DeviceError)

  /// Drops the choices that were measured, here and for later processes: those that the device comes with hold again.
  func forgetTuning() throws(DeviceError)

  /// Device memory at this moment, in bytes.
  var memory: MemoryStatistics { get }

  /// The bytes that a buffer of `byteCount` bytes takes of the device's memory.
  func footprint(ofBuffer byteCount: Int) -> Int

  /// The memory that running a plan takes. Nothing is allocated or compiled for the answer.
  func footprint(of plan: Plan) throws(DeviceError) -> PlanFootprint

  /// The bytes that further buffers can have at this moment; memory kept for reuse counts as free.
  var availableByteCount: Int { get }

  /// Gives pooled memory that is not in use back to the system.
  func releaseUnusedMemory()
}

/// Why a plan did not run.
public struct RunFailure: Error, Sendable {
  /// What went wrong.
  public let error: DeviceError
  /// Whether donated inputs may have been written. As long as they were not, all inputs are as before.
  public let hasOverwritten: Bool

  /// A failure, which leaves inputs alone unless it says otherwise.
  public init(_ error: DeviceError, hasOverwritten: Bool = false) {
    self.error = error
    self.hasOverwritten = hasOverwritten
  }
}

extension Device {
  /// Runs a plan of whose indices nothing is known.
  package func run(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar]
  ) throws(DeviceError) {
    do throws(RunFailure) {
      try run(executable, inputs: inputs, outputs: outputs, scalars: scalars, areIndicesKnown: false)
    } catch {
      throw error.error
    }
  }

  /// Channels stay first.
  public func channelsLast(
    _ geometry: ConvolutionGeometry, _ pass: Convolution.Pass, _ dtype: DType
  ) -> ChannelsLastPreference {
    .never
  }

  /// Products read 16-bit numbers as they are.
  public var prefersFloat32Products: Bool { false }

  /// Both: products read half of the memory.
  public var fastProductTypes: [DType] { [.float16, .bfloat16] }

  /// There are devices that cannot say.
  public func startProfile() throws(DeviceError) {
    throw .unsupported(device: info.identifier, feature: "profiles")
  }

  /// Nothing, since there is no profile to finish.
  public func finishProfile() throws(DeviceError) -> [StepRecord] { [] }

  /// There are devices that have one kernel for a step.
  public func startTuning(report: @escaping @Sendable (TuningRecord) -> Void) throws(DeviceError) {
    throw .unsupported(device: info.identifier, feature: "choosing kernels by measurement")
  }

  /// Nothing, since nothing was measured.
  public func finishTuning() throws(DeviceError) {}

  /// There is nothing to forget either.
  public func forgetTuning() throws(DeviceError) {
    throw .unsupported(device: info.identifier, feature: "choosing kernels by measurement")
  }
}

/// A plan made ready by one device.
public protocol Executable: AnyObject, Sendable {}

/// A copy to the host under way.
public protocol Download: AnyObject, Sendable {
  /// Waits for the bytes and passes them on.
  func wait<R>(_ body: (UnsafeRawBufferPointer) -> R) throws(DeviceError) -> R
}

/// Device memory. Subclasses hold the address or handle, and return it to a pool in `deinit`.
open class Buffer: @unchecked Sendable {
  /// The usable size in bytes; the memory behind it may be larger.
  public let byteCount: Int

  /// Called by subclasses, which bring the memory.
  public init(byteCount: Int) { self.byteCount = byteCount }
}

/// What a device says of itself.
public struct DeviceInfo: Hashable, Sendable {
  /// The way in which the device is reached.
  public enum Kind: String, Hashable, Sendable { case cpu, opencl, cuda }

  /// The back end that drives the device.
  public var kind: Kind
  /// The name that `--device` takes: `cpu`, `opencl:0`, …
  public var identifier: String
  /// What the vendor calls the device.
  public var name: String
  /// Who makes the device, as its driver says.
  public var vendor: String
  /// The driver and its version, or the instruction set of a CPU.
  public var driver: String
  /// Whether the device is a discrete GPU (its memory is its own).
  public var isDiscreteGPU: Bool
  /// Cores of a CPU, compute units of an OpenCL device.
  public var computeUnits: Int
  /// The device's whole memory in bytes.
  public var memoryByteCount: Int
  /// The largest single buffer in bytes.
  public var maximumAllocationByteCount: Int
  /// Alignment of values inside a slab, in bytes; a power of two.
  public var alignment: Int
  /// Whether programs may have `float64` lanes.
  public var supportsFloat64: Bool

  /// A description from its parts.
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

/// Bytes of device memory.
public struct MemoryStatistics: Hashable, Sendable {
  /// In buffers and running plans.
  public var used: Int
  /// The highest value of `used` so far.
  public var peak: Int
  /// Kept for reuse.
  public var pooled: Int

  /// Counts in bytes.
  public init(used: Int = 0, peak: Int = 0, pooled: Int = 0) {
    self.used = used
    self.peak = peak
    self.pooled = pooled
  }
}
