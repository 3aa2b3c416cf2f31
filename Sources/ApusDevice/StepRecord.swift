/// A step or kernel that ran, and when.
public struct StepRecord: Hashable, Sendable {
  /// What it computed and moved.
  public var cost: StepCost
  /// When it began, in seconds of a clock of the device.
  public var start: Double
  /// How long it took, in seconds.
  public var duration: Double

  /// A record from its parts.
  public init(cost: StepCost, start: Double, duration: Double) {
    self.cost = cost
    self.start = start
    self.duration = duration
  }
}
