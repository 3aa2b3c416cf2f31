import ApusDevice
import Synchronization

/// A device that tensors live on and are computed on.
///
/// New tensors go to the device of the innermost `withDevice`, else to the process's default device.
public final class ComputeDevice: @unchecked Sendable {
  let backend: any Device
  /// Accessed only under `lock`.
  private var evaluator: Evaluator
  private let lock = Mutex(())

  /// The properties of the device.
  public var info: DeviceInfo { backend.info }

  /// The name to pass to `--device`, for example `opencl:0`.
  public var name: String { backend.info.identifier }

  /// Device memory in use, its peak, and memory kept for reuse.
  public var memory: MemoryStatistics { backend.memory }

  /// The number of plans (compiled graphs) prepared so far. A training loop prepares a plan or two, then reuses them.
  public var preparedPlanCount: Int { lock.withLock { _ in evaluator.plans.preparedCount } }

  /// The number of steps of the plan that ran last.
  public var lastPlanStepCount: Int { lock.withLock { _ in evaluator.plans.lastStepCount } }

  /// All devices. This list keeps them alive until the process ends, so nodes may hold unowned references to them.
  private static let all = Mutex<[ComputeDevice]>([])

  /// Creates a device from its implementation, which a backend or a test supplies.
  package init(backend: any Device) {
    self.backend = backend
    evaluator = Evaluator(backend: backend)
    ComputeDevice.all.withLock { $0.append(self) }
  }

  /// Runs `body` with exclusive use of the device's graph.
  ///
  /// A thread must hold this lock to read a node's edges or value: an evaluation on another thread may change them.
  func withEvaluator<R, E: Error>(_ body: (inout Evaluator) throws(E) -> R) throws(E) -> R {
    try lock.withLock { _ throws(E) in try body(&evaluator) }
  }

  /// Waits for all work on the device.
  public func synchronize() throws(DeviceError) { try backend.synchronize() }

  /// Returns to the system the memory that the device keeps for reuse.
  public func releaseUnusedMemory() { backend.releaseUnusedMemory() }

  /// Starts to record which steps run on the device, and how long each takes.
  public func startProfile() throws(DeviceError) { try backend.startProfile() }

  /// Waits for the device and returns the steps that ran since `startProfile`, in order of their start.
  public func finishProfile() throws(DeviceError) -> [StepRecord] { try backend.finishProfile() }

  /// Measures which kernels are fastest for the steps of each plan that `body` prepares on the device, and stores these
  /// choices of kernels for later processes. Results do not depend on the choices, except for the signs of zeros on
  /// GPUs.
  /// - Parameters:
  ///   - report: called with the measurements of each choice while a plan is prepared; it must not evaluate on the
  ///     device.
  ///   - body: evaluates tensors on the device.
  /// - Throws: `DeviceError.unsupported` on a device without kernel choices, such as the CPU; errors of `body`.
  public func tune(report: @escaping @Sendable (TuningRecord) -> Void, _ body: () throws -> Void) throws {
    try backend.startTuning(report: report)
    let result = Result { try body() }
    try backend.finishTuning()
    try result.get()
  }

  /// Discards the choices of `tune` for this device. Plans prepared from now on, here and in later processes, do not
  /// use them.
  public func forgetTuning() throws(DeviceError) { try backend.forgetTuning() }

  @TaskLocal static var taskLocal: ComputeDevice?

  /// The device on which new tensors are created.
  public static var current: ComputeDevice { taskLocal ?? defaultDevice }
}

extension ComputeDevice: Hashable {
  public static func == (left: ComputeDevice, right: ComputeDevice) -> Bool { left === right }
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// Runs `body`; tensors that it creates go to `device`.
public func withDevice<R>(_ device: ComputeDevice, _ body: () throws -> R) rethrows -> R {
  try ComputeDevice.$taskLocal.withValue(device, operation: body)
}
