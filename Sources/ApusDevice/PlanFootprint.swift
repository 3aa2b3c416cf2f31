/// The memory that running a plan requires in addition to its inputs and outputs, in bytes.
public struct PlanFootprint: Hashable, Sendable {
  /// The sizes of the buffers that are allocated for each run and released at its end.
  public var perRun: [Int]
  /// The sizes of the scratch blocks that the plan shares with all other plans, such as the workspace. The device keeps
  /// these blocks. Each block has the largest size that any plan requires.
  public var shared: [Int]
  /// The memory that the prepared plan occupies as long as it exists.
  public var prepared: Int

  /// Creates a footprint from sizes in bytes.
  public init(perRun: [Int] = [], shared: [Int] = [], prepared: Int = 0) {
    self.perRun = perRun
    self.shared = shared
    self.prepared = prepared
  }
}

extension Device {
  /// By default, exactly the requested size.
  public func footprint(ofBuffer byteCount: Int) -> Int { byteCount }

  /// By default, the plan's slabs (scratch memory) for each run.
  public func footprint(of plan: Plan) throws(DeviceError) -> PlanFootprint { PlanFootprint(perRun: plan.slabs) }

  /// By default, the device's memory that is not in use.
  public var availableByteCount: Int { max(0, info.memoryByteCount - memory.used) }
}
