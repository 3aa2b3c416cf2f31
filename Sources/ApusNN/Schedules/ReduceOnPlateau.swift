/// Multiplies the rate by `reduction` whenever a metric has not improved for more than `patience` observations
/// (`torch.optim.lr_scheduler.ReduceLROnPlateau`).
public struct ReduceOnPlateau: MetricSchedule {
  public static let name = "plateau"

  /// The minimum improvement over the best value so far.
  public enum Threshold: Hashable, Sendable {
    /// A fraction of the best value.
    case relative(Double)
    /// An absolute difference.
    case absolute(Double)
  }

  /// Whether larger values are better, as for an accuracy.
  public var prefersLarger: Bool
  /// The factor by which each reduction multiplies the rate.
  public var reduction: Double
  /// The number of observations without improvement that are tolerated; the next one reduces the rate.
  public var patience: Int
  /// The minimum improvement that counts.
  public var threshold: Threshold
  /// The number of observations after a reduction that do not count toward `patience`.
  public var cooldown: Int
  /// The lower limit for the factor of the rate. This factor is the product of all reductions.
  public var minimum: Double
  /// Reductions that change the factor by at most `epsilon` are skipped. (PyTorch compares the change of the rate.)
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
    get {
      let state = [current, Double(badCount), Double(cooldownCount)]
      // Before the first finite metric, the best value is infinite, which JSON cannot represent.
      return best.isFinite ? state + [best] : state == [1, 0, 0] ? [] : state
    }
    set {
      // A checkpoint may contain arbitrary numbers: if one of them is invalid, all are ignored.
      guard (3...4).contains(newValue.count), newValue.allSatisfy(\.isFinite), (0...1).contains(newValue[0]),
        let bad = Int(exactly: newValue[1]),
        let cooldown = Int(exactly: newValue[2]), (0...1 << 53).contains(bad), (0...1 << 53).contains(cooldown)
      else { return }
      (current, badCount, cooldownCount) = (newValue[0], bad, cooldown)
      best = newValue.count == 4 ? newValue[3] : prefersLarger ? -.infinity : .infinity
    }
  }
}
