/// The rate times `reduction` whenever a metric has not become better for more than `patience` observations
/// (`torch.optim.lr_scheduler.ReduceLROnPlateau`).
public struct ReduceOnPlateau: MetricSchedule {
  public static let name = "plateau"

  /// What counts as better than the best value so far.
  public enum Threshold: Hashable, Sendable {
    /// By this share of the best.
    case relative(Double)
    /// By this difference.
    case absolute(Double)
  }

  /// Whether larger is better, as for an accuracy.
  public var prefersLarger: Bool
  /// What the rate is multiplied by.
  public var reduction: Double
  /// So many observations without a better one are waited for.
  public var patience: Int
  /// What counts as better.
  public var threshold: Threshold
  /// The observations after a reduction that do not count.
  public var cooldown: Int
  /// The smallest factor of the rate.
  public var minimum: Double
  /// A reduction of the factor by no more than this is not made.
  public var epsilon: Double

  private var current = 1.0
  private var best: Double
  private var badCount = 0
  private var cooldownCount = 0

  public init(
    prefersLarger: Bool = false, reduction: Double = 0.1, patience: Int = 10,
    threshold: Threshold = .relative(1e-4), cooldown: Int = 0, minimum: Double = 0, epsilon: Double = 1e-8
  ) {
    self.prefersLarger = prefersLarger
    self.reduction = reduction
    self.patience = patience
    self.threshold = threshold
    self.cooldown = cooldown
    self.minimum = minimum
    self.epsilon = epsilon
    best = prefersLarger ? -.infinity : .infinity
  }

  public func factor(step: Int, of total: Int) -> Double { current }

  public mutating func observe(_ metric: Double) {
    if isBetter(metric) {
      best = metric
      badCount = 0
    } else {
      badCount += 1
    }
    if cooldownCount > 0 {
      cooldownCount -= 1
      badCount = 0
    }
    guard badCount > patience else { return }
    let next = max(current * reduction, minimum)
    if current - next > epsilon { current = next }
    cooldownCount = cooldown
    badCount = 0
  }

  private func isBetter(_ metric: Double) -> Bool {
    switch (threshold, prefersLarger) {
    case (.relative(let share), false): metric < best * (1 - share)
    case (.relative(let share), true): metric > best * (1 + share)
    case (.absolute(let difference), false): metric < best - difference
    case (.absolute(let difference), true): metric > best + difference
    }
  }

  public var memory: [Double] {
    // Without an observation there is no best value; an infinite one is no JSON.
    get { best.isFinite ? [current, Double(badCount), Double(cooldownCount), best] : [] }
    set {
      // A checkpoint may hold any numbers: invalid ones are ignored.
      guard newValue.count == 4, newValue.allSatisfy(\.isFinite), (0...1).contains(newValue[0]),
        let bad = Int(exactly: newValue[1]),
        let cooldown = Int(exactly: newValue[2]), (0...1 << 53).contains(bad), (0...1 << 53).contains(cooldown)
      else { return }
      (current, badCount, cooldownCount, best) = (newValue[0], bad, cooldown, newValue[3])
    }
  }
}
