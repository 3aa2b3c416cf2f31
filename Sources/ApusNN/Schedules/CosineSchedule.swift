import Glibc

/// After a linear rise, half a cosine from 1 down to `final` (Loshchilov, Hutter, 2017):
/// `final + (1 − final) · (1 + cos(π · t)) / 2`, `t` from 0 to 1 over the steps after the rise.
public struct CosineSchedule: Schedule {
  public static let name = "cosine"
  /// The steps of the rise, from `1 / warmup` on.
  public var warmup: Int
  /// The factor at the end.
  public var final: Double

  public init(warmup: Int = 0, final: Double = 0) {
    self.warmup = warmup
    self.final = final
  }

  public func factor(step: Int, of total: Int) -> Double {
    if step < warmup { return Double(step + 1) / Double(warmup) }
    let length = max(total - warmup, 1)
    let progress = min(Double(step - warmup) / Double(length), 1)
    return final + (1 - final) * (1 + cos(Double.pi * progress)) / 2
  }
}
