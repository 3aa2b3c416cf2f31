import Glibc

/// Cosine annealing (Loshchilov, Hutter, 2017). After a linear warm-up, the factor of the learning rate falls from 1 to
/// `final`: it is `final + (1 − final) · (1 + cos(π · t)) / 2`, where `t` rises from 0 toward 1 over the steps after
/// the warm-up.
public struct CosineSchedule: Schedule {
  public static let name = "cosine"
  /// The number of warm-up steps; the factor of the first warm-up step is `1 / warmup`.
  public var warmup: Int
  /// The factor that the schedule approaches at the end.
  public var final: Double

  public init(warmup: Int = 0, final: Double = 0) {
    self.warmup = warmup
    self.final = final
  }

  public func factor(step: Int, of total: Int) -> Double {
    if step < warmup { return Double(step + 1) / Double(warmup) }
    let length = max(total - warmup, 1)
    let progress = min(Double(step - warmup) / Double(length), 1)
    return cosineAnnealed(from: 1, to: final, progress)
  }
}

/// `last + (first − last) · (1 + cos(π · t)) / 2`: falls from `first` to `last` while `t` rises from 0 to 1.
func cosineAnnealed(from first: Double, to last: Double, _ t: Double) -> Double {
  last + (first - last) / 2 * (1 + cos(Double.pi * t))
}
