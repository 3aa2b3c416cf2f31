/// How the learning rate changes over the steps.
public protocol Schedule: Sendable {
  /// What the schedule is called in options and checkpoints, for example `cosine`.
  static var name: String { get }

  /// The factor of the learning rate for a step, 0 being the first, of a run of `total` steps.
  func factor(step: Int, of total: Int) -> Double
}

/// The learning rate as it is.
public struct ConstantSchedule: Schedule {
  public static let name = "constant"
  public init() {}
  public func factor(step: Int, of total: Int) -> Double { 1 }
}
