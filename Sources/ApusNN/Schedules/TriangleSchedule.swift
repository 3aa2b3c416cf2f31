import ApusSystem

/// A linear ramp of the factor from `start` to 1, then a linear ramp down to `end` (the schedule of airbench: Jordan,
/// "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024).
///
/// In a run of `T` steps, counted from 0, the factor is 1 at step `p = ⌊peak · T⌋`. Before step `p`, the factor of step
/// `t` is `start + (1 − start) · t / p`; after step `p`, it is `1 + (end − 1) · (t − p) / (T − p)`. The momentum does
/// not change.
public struct TriangleSchedule: Schedule {
  public static let name = "triangle"
  /// The factor of the first step.
  public var start: Double
  /// The fraction of the run in which the factor rises.
  public var peak: Double
  /// The factor that the schedule approaches at the end.
  public var end: Double

  public init(from start: Double = 0.2, peak: Double = 0.23, to end: Double = 0.07) {
    self.start = start
    self.peak = peak
    self.end = end
  }

  public func factor(step: Int, of total: Int) -> Double {
    let top = Int(peak * Double(total))
    if step < top { return start.lerp(to: 1, Double(step) / Double(top)) }
    return 1.0.lerp(to: end, Double(min(step, total) - top) / Double(max(total - top, 1)))
  }
}
