/// Cosine annealing from 1 down to `final`, restarted at the end of every period (Loshchilov, Hutter, 2017;
/// `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`): `final + (1 − final) · (1 + cos(π · t / T)) / 2`, where `t`
/// counts the steps since the last restart. `T` is `period` at first and is multiplied by `growth` at each restart.
public struct CosineRestartsSchedule: Schedule {
  public static let name = "cosine-restarts"
  /// The number of steps before the first restart; `nil` for the smallest number with which three periods cover the
  /// run.
  public var period: Int?
  /// The number, at least 1, by which each restart multiplies the period.
  public var growth: Int
  /// The factor of the learning rate at the end of a period.
  public var final: Double

  public init(period: Int? = nil, growth: Int = 2, final: Double = 0) {
    self.period = period
    self.growth = growth
    self.final = final
  }

  public func factor(step: Int, of total: Int) -> Double {
    let growth = max(growth, 1)
    var length = max(period ?? total.quotientRoundedUp(by: 1 + growth + growth * growth), 1)
    var position = step
    if growth == 1 { position %= length }
    while position >= length {
      position -= length
      length = length.saturatingProduct(growth)
    }
    return cosineAnnealed(from: 1, to: final, Double(position) / Double(length))
  }
}
