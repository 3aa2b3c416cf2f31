/// How the learning rate changes over the steps.
public protocol Schedule: Sendable {
  /// What the schedule is called in options and checkpoints, for example `cosine`.
  static var name: String { get }

  /// The factor of the learning rate for a step, 0 being the first, of a run of `total` steps.
  func factor(step: Int, of total: Int) -> Double

  /// The momentum for a step; `nil` for that of the rule.
  func momentum(step: Int, of total: Int) -> Double?
}

extension Schedule {
  public func momentum(step: Int, of total: Int) -> Double? { nil }
}

/// A schedule that goes by a measured value, such as the loss of validation examples, in place of the number of the step.
public protocol MetricSchedule: Schedule {
  /// Whether larger values are better: a training run gives it accuracies then, and else losses.
  var prefersLarger: Bool { get }

  /// Takes note of a value: once an epoch in a training run.
  mutating func observe(_ metric: Double)

  /// What it remembers of the values so far, for checkpoints.
  var memory: [Double] { get set }
}

/// The learning rate as it is.
public struct ConstantSchedule: Schedule {
  public static let name = "constant"
  public init() {}
  public func factor(step: Int, of total: Int) -> Double { 1 }
}
