import Apus
import ApusDevice
import Synchronization

/// A device that checks and records plans (lists of steps for a device) and computes nothing. Tests use it to examine
/// and count plans.
public final class RecordingDevice: HostDevice, @unchecked Sendable {
  /// One run of a plan.
  public struct Run: Sendable {
    public let plan: Plan
    public let scalars: [Scalar]
  }

  private let recorded = Mutex<(plans: [Plan], runs: [Run])>(([], []))

  private let checksPlans: Bool
  private let prefersFloat32: Bool
  override public var fastAttentionTypes: [DType] { attentionTypes }
  private let attentionTypes: [DType]

  /// - Parameter checksPlans: whether `prepare` refuses defective plans. The check takes time proportional to the
  ///   square of the number of steps.
  public init(
    maximumAllocationByteCount: Int = 1 << 30, checksPlans: Bool = true, prefersFloat32Products: Bool = false,
    fastAttentionTypes: [DType] = [], channelsLast: @escaping ChannelsLastRule = { _, _ in .never }
  ) {
    self.checksPlans = checksPlans
    prefersFloat32 = prefersFloat32Products
    attentionTypes = fastAttentionTypes
    super.init(
      name: "recording", maximumAllocationByteCount: maximumAllocationByteCount, channelsLast: channelsLast)
  }

  /// All plans that were prepared, in order.
  public var plans: [Plan] { recorded.withLock { $0.plans } }

  /// All runs, in order.
  public var runs: [Run] { recorded.withLock { $0.runs } }

  /// The steps of the plan that ran last.
  public var lastSteps: [Step] { runs.last?.plan.steps.map(\.step) ?? [] }

  override public var prefersFloat32Products: Bool { prefersFloat32 }

  override public func prepare(_ plan: Plan) throws(DeviceError) -> any Executable {
    if checksPlans, let problem = plan.problem {
      throw .buildFailed(device: info.identifier, kernel: "plan", log: problem)
    }
    recorded.withLock { $0.plans.append(plan) }
    return Recorded(plan)
  }

  override public func run(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar], areIndicesKnown: Bool
  ) throws(RunFailure) {
    let plan = (executable as! Recorded).plan
    precondition(inputs.count == plan.inputCount && outputs.count == plan.outputs.count)
    precondition(scalars.count == plan.scalars.count)
    recorded.withLock { $0.runs.append(Run(plan: plan, scalars: scalars)) }
  }

  private final class Recorded: Executable {
    let plan: Plan
    init(_ plan: Plan) { self.plan = plan }
  }
}

/// Runs `body` on a recording device, by default a new one. Values that are read inside are meaningless.
public func recordingPlans(
  on device: RecordingDevice = RecordingDevice(), _ body: (RecordingDevice) throws -> Void
) rethrows {
  try withDevice(ComputeDevice(backend: device)) { try body(device) }
}
