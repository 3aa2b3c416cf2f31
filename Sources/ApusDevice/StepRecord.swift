/// The record of an executed step or kernel.
public struct StepRecord: Hashable, Sendable {
  /// The cost of the step.
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
