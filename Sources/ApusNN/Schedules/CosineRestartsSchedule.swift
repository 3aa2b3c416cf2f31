import Glibc

/// Half a cosine from 1 down to `final`, again and again (Loshchilov, Hutter, 2017;
/// `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`): `final + (1 − final) · (1 + cos(π · t / T)) / 2`, where `t`
/// counts from the last restart and the first `T = period` grows `growth` times at each.
public struct CosineRestartsSchedule: Schedule {
  public static let name = "cosine-restarts"
  /// The steps to the first restart; `nil` for such a number that the third period (with `growth` 2) ends with the run.
  public var period: Int?
  /// At least 1.
  public var growth: Int
  /// The factor at the end.
  public var final: Double

  public init(period: Int? = nil, growth: Int = 2, final: Double = 0) {
    self.period = period
    self.growth = growth
    self.final = final
  }

  public func factor(step: Int, of total: Int) -> Double {
    let growth = max(growth, 1)
    var length = max(period ?? thirdPart(total, growth), 1)
    var place = step
    if growth == 1 { place %= length }
    while place >= length {
      place -= length
      let (next, overflow) = length.multipliedReportingOverflow(by: growth)
      length = overflow ? .max : next
    }
    return final + (1 - final) * (1 + cos(Double.pi * Double(place) / Double(length))) / 2
  }

  /// The first of three periods that together are not shorter than the run.
  private func thirdPart(_ total: Int, _ growth: Int) -> Int {
    let (parts, rest) = total.quotientAndRemainder(dividingBy: 1 + growth + growth * growth)
    return parts + (rest > 0 ? 1 : 0)
  }
}
