import Glibc

/// One cycle (Smith, Topin, 2019; `torch.optim.lr_scheduler.OneCycleLR`): the rate rises to the optimizer's own and falls
/// to next to nothing, while the momentum falls and rises.
///
/// | phase | rate | momentum |
/// |---|---|---|
/// | the first `riseShare` of the run | `1 / startDivisor` to 1 | largest to smallest |
/// | with three phases, as long again | 1 to `1 / startDivisor` | smallest to largest |
/// | the rest | to `1 / (startDivisor · endDivisor)` | to the largest |
///
/// Momentum is that of `MomentumRule`s whose own is not 0.
public struct OneCycleSchedule: Schedule {
  public static let name = "one-cycle"
  /// The share of the run in which the rate rises.
  public var riseShare: Double
  /// What the largest rate is divided by at first.
  public var startDivisor: Double
  /// What the first rate is divided by at the end.
  public var endDivisor: Double
  /// Whether the fall ends at the first rate, and a third phase follows.
  public var hasThreePhases: Bool
  /// Whether the way is a straight line in place of half a cosine.
  public var isLinear: Bool
  /// `nil` leaves the rule's momentum alone.
  public var momenta: ClosedRange<Double>?

  public init(
    riseShare: Double = 0.3, startDivisor: Double = 25, endDivisor: Double = 1e4, hasThreePhases: Bool = false,
    isLinear: Bool = false, momenta: ClosedRange<Double>? = 0.85...0.95
  ) {
    self.riseShare = riseShare
    self.startDivisor = startDivisor
    self.endDivisor = endDivisor
    self.hasThreePhases = hasThreePhases
    self.isLinear = isLinear
    self.momenta = momenta
  }

  public func factor(step: Int, of total: Int) -> Double {
    let start = 1 / startDivisor
    let end = start / endDivisor
    let rates = hasThreePhases ? [start, 1, start, end] : [start, 1, end]
    return value(step, total, rates)
  }

  public func momentum(step: Int, of total: Int) -> Double? {
    guard let momenta else { return nil }
    let (low, high) = (momenta.lowerBound, momenta.upperBound)
    return value(step, total, hasThreePhases ? [high, low, high, high] : [high, low, high])
  }

  /// The value on the way from corner to corner.
  private func value(_ step: Int, _ total: Int, _ corners: [Double]) -> Double {
    let rise = riseShare * Double(total) - 1
    let ends =
      hasThreePhases ? [rise, 2 * riseShare * Double(total) - 2, Double(total - 1)] : [rise, Double(total - 1)]
    var start = 0.0
    for (phase, end) in ends.enumerated() {
      if Double(step) <= end || phase == ends.count - 1 {
        let way = end > start ? min((Double(step) - start) / (end - start), 1) : 1
        let (first, last) = (corners[phase], corners[phase + 1])
        return isLinear ? first + (last - first) * way : last + (first - last) / 2 * (1 + cos(Double.pi * way))
      }
      start = end
    }
    return corners[corners.count - 1]
  }
}
