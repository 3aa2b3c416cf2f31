/// The memory that running a plan takes besides its inputs and outputs, in bytes.
public struct PlanFootprint: Hashable, Sendable {
  /// Buffers that are allocated for each run and released at its end.
  public var perRun: [Int]
  /// Pieces that the device keeps and all plans share: each is as large as the largest of its plans needs.
  public var shared: [Int]
  /// What the prepared plan holds as long as it exists.
  public var prepared: Int

  /// Sizes in bytes.
  public init(perRun: [Int] = [], shared: [Int] = [], prepared: Int = 0) {
    self.perRun = perRun
    self.shared = shared
    self.prepared = prepared
  }
}

extension Device {
  /// No more than what is asked for.
  public func footprint(ofBuffer byteCount: Int) -> Int { byteCount }

  /// The plan's slabs, for each run.
  public func footprint(of plan: Plan) throws(DeviceError) -> PlanFootprint { PlanFootprint(perRun: plan.slabs) }

  /// What is not in buffers.
  public var availableByteCount: Int { max(0, info.memoryByteCount - memory.used) }
}
