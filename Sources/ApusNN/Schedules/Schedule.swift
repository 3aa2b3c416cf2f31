/// How the learning rate changes over the steps.
public protocol Schedule: Sendable {
  /// The name of the schedule in options and checkpoints, for example `cosine`.
  static var name: String { get }

  /// The factor that multiplies the learning rate at a step of a run of `total` steps. The first step is 0.
  func factor(step: Int, of total: Int) -> Double

  /// The momentum at a step; `nil` for the momentum that the optimizer's rule is created with.
  func momentum(step: Int, of total: Int) -> Double?
}

extension Schedule {
  public func momentum(step: Int, of total: Int) -> Double? { nil }
}

/// A schedule that depends on a measured metric, such as the validation loss, and not only on the step number.
public protocol MetricSchedule: Schedule {
  /// Whether larger values are better: if so, a training run passes accuracies, otherwise losses.
  var prefersLarger: Bool { get }

  /// Records a value of the metric. A training run calls this method once an epoch.
  mutating func observe(_ metric: Double)

  /// What the schedule remembers of the observed values, for checkpoints.
  var memory: [Double] { get set }
}

/// A constant learning rate.
public struct ConstantSchedule: Schedule {
  public static let name = "constant"
  public init() {}
  public func factor(step: Int, of total: Int) -> Double { 1 }
}

extension Int {
  /// `⌈self / divisor⌉` for a number of steps; it does not overflow, even for `Int.max` steps.
  func quotientRoundedUp(by divisor: Int) -> Int {
    let (quotient, rest) = quotientAndRemainder(dividingBy: divisor)
    return quotient + (rest > 0 ? 1 : 0)
  }
}
