import ApusDevice
import Synchronization

/// A device that tensors live on and are computed on.
///
/// New tensors go to the device of the innermost `withDevice`, else to the process's default device.
public final class ComputeDevice: @unchecked Sendable {
  let backend: any Device
  /// Touched under `lock` alone.
  private var evaluator: Evaluator
  private let lock = Mutex(())

  /// Everything the device says of itself.
  public var info: DeviceInfo { backend.info }

  /// The name that `--device` takes, for example `opencl:0`.
  public var name: String { backend.info.identifier }

  /// Device memory in use, at its peak, and kept for reuse.
  public var memory: MemoryStatistics { backend.memory }

  /// The number of plans prepared so far. A training loop prepares a plan or two, then reuses them.
  public var preparedPlanCount: Int { lock.withLock { _ in evaluator.plans.preparedCount } }

  /// The number of steps of the plan that ran last.
  public var lastPlanStepCount: Int { lock.withLock { _ in evaluator.plans.lastStepCount } }

  /// Devices live as long as the process: nodes refer to them without counting.
  private static let all = Mutex<[ComputeDevice]>([])

  /// A device for a backend: a built-in one, or one that a test brings.
  package init(backend: any Device) {
    self.backend = backend
    evaluator = Evaluator(backend: backend)
    ComputeDevice.all.withLock { $0.append(self) }
  }

  /// Runs `body` with exclusive use of the device's graph.
  ///
  /// A thread that reads a node's edges or value holds this lock: an evaluation on another thread cuts and sets them.
  func withEvaluator<R, E: Error>(_ body: (inout Evaluator) throws(E) -> R) throws(E) -> R {
    try lock.withLock { _ throws(E) in try body(&evaluator) }
  }

  /// Waits for all work on the device.
  public func synchronize() throws(DeviceError) { try backend.synchronize() }

  /// Gives memory that is kept for reuse back to the system.
  public func releaseUnusedMemory() { backend.releaseUnusedMemory() }

  /// Notes from now on what runs on the device, and how long it takes.
  public func startProfile() throws(DeviceError) { try backend.startProfile() }

  /// Waits for the device and returns what ran since `startProfile`, in the order in which it began.
  public func finishProfile() throws(DeviceError) -> [StepRecord] { try backend.finishProfile() }

  /// Measures which kernels are the fastest for the steps of what `body` computes on the device for the first time, and
  /// keeps the choices for later processes. Results are the same whichever kernels are chosen, but for the signs of zeros
  /// on GPUs.
  /// - Parameters:
  ///   - report: called with each result while a plan is prepared; it must not evaluate on the device.
  ///   - body: evaluates tensors on the device.
  /// - Throws: `DeviceError.unsupported` where the device has no choice, as the CPU; and what `body` throws.
  public func tune(report: @escaping @Sendable (TuningRecord) -> Void, _ body: () throws -> Void) throws {
    try backend.startTuning(report: report)
    let result = Result { try body() }
    try backend.finishTuning()
    try result.get()
  }

  /// Drops what `tune` measured on the device, for plans that are made from now on, here and in later processes.
  public func forgetTuning() throws(DeviceError) { try backend.forgetTuning() }

  @TaskLocal static var taskLocal: ComputeDevice?

  /// The device that new tensors go to.
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
