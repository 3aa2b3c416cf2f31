/// The cost and the time of one execution of a plan's step or of a kernel.
public struct StepRecord: Hashable, Sendable {
  /// The names of the operations, and the amounts of arithmetic and memory traffic.
  public var cost: StepCost
  /// The start time, in seconds of a device clock.
  public var start: Double
  /// The duration in seconds.
  public var duration: Double

  /// Creates a record from its fields.
  public init(cost: StepCost, start: Double, duration: Double) {
    self.cost = cost
    self.start = start
    self.duration = duration
  }
}
