import ApusSystem

/// The one-cycle policy (Smith, Topin, 2019; `torch.optim.lr_scheduler.OneCycleLR`): the rate rises to the optimizer's
/// learning rate and falls to almost 0, while the momentum falls and rises.
///
/// | phase | factor of the rate | momentum |
/// |---|---|---|
/// | the first `riseShare` of the run | `1 / startDivisor` to 1 | maximum to minimum |
/// | with three phases, another `riseShare` of the run | 1 to `1 / startDivisor` | minimum to maximum |
/// | the rest | to `1 / (startDivisor · endDivisor)` | to the maximum |
///
/// The momentum applies to each `MomentumRule` whose own momentum is not 0.
public struct OneCycleSchedule: Schedule {
  public static let name = "one-cycle"
  /// The fraction of the run in which the rate rises.
  public var riseShare: Double
  /// The maximum rate divided by the first rate.
  public var startDivisor: Double
  /// The first rate divided by the last rate.
  public var endDivisor: Double
  /// Whether the rate falls back to the first rate in a second phase, and to the last rate in a third.
  public var hasThreePhases: Bool
  /// Whether rates and momenta are interpolated linearly instead of along half a cosine.
  public var isLinear: Bool
  /// The range of the momentum; `nil` leaves the rule's momentum unchanged.
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

  /// Interpolates between `corners`: the value at the start of the run, then the value at the end of each phase.
  private func value(_ step: Int, _ total: Int, _ corners: [Double]) -> Double {
    let rise = riseShare * Double(total) - 1
    let ends =
      hasThreePhases ? [rise, 2 * riseShare * Double(total) - 2, Double(total - 1)] : [rise, Double(total - 1)]
    var start = 0.0
    for (phase, end) in ends.enumerated() {
      if Double(step) <= end || phase == ends.count - 1 {
        let way = end > start ? min((Double(step) - start) / (end - start), 1) : 1
        let (first, last) = (corners[phase], corners[phase + 1])
        return isLinear ? first.lerp(to: last, way) : cosineAnnealed(from: first, to: last, way)
      }
      start = end
    }
    return corners[corners.count - 1]
  }
}
