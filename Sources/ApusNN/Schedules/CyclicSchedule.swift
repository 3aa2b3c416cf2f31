import ApusSystem
import Glibc

/// Linear ramps of the factor from `base` up to 1 and back, repeated (Smith, 2017;
/// `torch.optim.lr_scheduler.CyclicLR`). A factor of 1 gives the optimizer's learning rate.
public struct CyclicSchedule: Schedule {
  public static let name = "cyclic"

  /// How the height of the cycles, measured from `base`, changes.
  public enum Mode: Hashable, Sendable {
    /// All cycles have the same height.
    case triangular
    /// Each cycle has half the height of the cycle before.
    case halving
    /// The height at step `t` is `γᵗ` times the height of `triangular`.
    case exponential(gamma: Double)
  }

  /// The smallest factor.
  public var base: Double
  /// The number of steps from minimum to maximum; `nil` for an eighth of the run.
  public var rise: Int?
  /// The number of steps from maximum to minimum; `nil` for the same number as `rise`.
  public var fall: Int?
  /// How the height of the cycles changes.
  public var mode: Mode
  /// The range of the momentum. The momentum falls while the rate rises. `nil` leaves the momentum of the
  /// update rule unchanged.
  public var momenta: ClosedRange<Double>?

  public init(
    base: Double = 0.1, rise: Int? = nil, fall: Int? = nil, mode: Mode = .triangular,
    momenta: ClosedRange<Double>? = 0.8...0.9
  ) {
    self.base = base
    self.rise = rise
    self.fall = fall
    self.mode = mode
    self.momenta = momenta
  }

  public func factor(step: Int, of total: Int) -> Double { base.lerp(to: 1, height(step, total)) }

  public func momentum(step: Int, of total: Int) -> Double? {
    momenta.map { $0.upperBound.lerp(to: $0.lowerBound, height(step, total)) }
  }

  /// The height at a step: 0 at the minimum and 1 at the maximum of a cycle, times the factor that the mode gives.
  private func height(_ step: Int, _ total: Int) -> Double {
    let rise = max(rise ?? total / 8, 1)
    let fall = max(fall ?? rise, 1)
    let (cycle, position) = step.quotientAndRemainder(dividingBy: rise + fall)
    let height = position <= rise ? Double(position) / Double(rise) : Double(rise + fall - position) / Double(fall)
    switch mode {
    case .triangular: return height
    case .halving: return height * 0.5.raised(to: cycle)
    case .exponential(let gamma): return height * gamma.raised(to: step)
    }
  }
}
