/// A linear ramp of the learning rate's factor from `start` to `end` over `steps` steps, then `end`
/// (`torch.optim.lr_scheduler.LinearLR`).
public struct LinearSchedule: Schedule {
  public static let name = "linear"
  /// The first factor.
  public var start: Double
  /// The last factor.
  public var end: Double
  /// The length of the ramp; `nil` for the whole run.
  public var steps: Int?

  public init(from start: Double = 1, to end: Double = 0, steps: Int? = nil) {
    self.start = start
    self.end = end
    self.steps = steps
  }

  public func factor(step: Int, of total: Int) -> Double {
    let length = max(steps ?? total, 1)
    return start + (end - start) * Double(min(step, length)) / Double(length)
  }
}

/// A constant `factor` for `steps` steps, then the schedule `next` from its step 0 on. By default `next` is constant 1,
/// the full rate (`torch.optim.lr_scheduler.ConstantLR`).
public struct ConstantThenSchedule: Schedule {
  public static let name = "constant-then"
  public var factor: Double
  /// The number of steps with this factor.
  public var steps: Int
  public var next: any Schedule

  public init(_ factor: Double, steps: Int, then next: any Schedule = ConstantSchedule()) {
    self.factor = factor
    self.steps = steps
    self.next = next
  }

  public func factor(step: Int, of total: Int) -> Double {
    step < steps ? factor : next.factor(step: step - steps, of: max(total - steps, 1))
  }

  public func momentum(step: Int, of total: Int) -> Double? {
    step < steps ? nil : next.momentum(step: step - steps, of: max(total - steps, 1))
  }
}

/// A linear warm-up (Goyal et al., 2017): over `steps` steps, the first factor of the schedule `next` is multiplied by
/// a ramp that rises from `start` to 1. Then `next` runs over the rest of the run. If the first factor of `next` is 1,
/// `WarmUpSchedule` equals PyTorch's `SequentialLR` of a `LinearLR` and `next`.
public struct WarmUpSchedule: MetricSchedule {
  public static let name = "warm-up"
  /// The number of warm-up steps; `nil` for a tenth of the run.
  public var steps: Int?
  /// The first value of the ramp; `nil` for `1 / steps`.
  public var start: Double?
  public var next: any Schedule

  public init(steps: Int? = nil, from start: Double? = nil, then next: any Schedule = ConstantSchedule()) {
    self.steps = steps
    self.start = start
    self.next = next
  }

  private func length(_ total: Int) -> Int { max(steps ?? total / 10, 0) }

  public func factor(step: Int, of total: Int) -> Double {
    let length = length(total)
    guard step < length else { return next.factor(step: step - length, of: max(total - length, 1)) }
    let ramp = LinearSchedule(from: start ?? 1 / Double(length), to: 1, steps: length)
    return ramp.factor(step: step, of: total) * next.factor(step: 0, of: max(total - length, 1))
  }

  public func momentum(step: Int, of total: Int) -> Double? {
    next.momentum(step: max(step - length(total), 0), of: max(total - length(total), 1))
  }

  public var prefersLarger: Bool { (next as? any MetricSchedule)?.prefersLarger ?? false }

  public mutating func observe(_ metric: Double) {
    guard var schedule = next as? any MetricSchedule else { return }
    schedule.observe(metric)
    next = schedule
  }

  public var memory: [Double] {
    get { (next as? any MetricSchedule)?.memory ?? [] }
    set {
      guard var schedule = next as? any MetricSchedule else { return }
      schedule.memory = newValue
      next = schedule
    }
  }
}
