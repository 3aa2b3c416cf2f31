import Glibc

/// In straight lines from `base` up to 1 and down again, over and over (Smith, 2017;
/// `torch.optim.lr_scheduler.CyclicLR`); the optimizer's rate is the largest.
public struct CyclicSchedule: Schedule {
  public static let name = "cyclic"

  /// How the height of the cycles changes.
  public enum Mode: Hashable, Sendable {
    case triangular
    /// Half as high at each cycle.
    case halving
    /// `γᵗ` of the height.
    case exponential(gamma: Double)
  }

  /// The smallest factor.
  public var base: Double
  /// The steps of a rise; `nil` for an eighth of the run.
  public var rise: Int?
  /// The steps of a fall; `nil` for those of a rise.
  public var fall: Int?
  /// How the height of the cycles changes.
  public var mode: Mode
  /// The momentum falls to the lower bound while the rate rises; `nil` leaves the rule's alone.
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

  public func factor(step: Int, of total: Int) -> Double { base + (1 - base) * height(step, total) }

  public func momentum(step: Int, of total: Int) -> Double? {
    momenta.map { $0.upperBound - ($0.upperBound - $0.lowerBound) * height(step, total) }
  }

  /// From 0 to 1, as far as the mode lets it.
  private func height(_ step: Int, _ total: Int) -> Double {
    let rise = max(rise ?? total / 8, 1)
    let fall = max(fall ?? rise, 1)
    let (cycle, place) = step.quotientAndRemainder(dividingBy: rise + fall)
    let height = place <= rise ? Double(place) / Double(rise) : Double(rise + fall - place) / Double(fall)
    switch mode {
    case .triangular: return height
    case .halving: return height * 0.5.raised(to: cycle)
    case .exponential(let gamma): return height * gamma.raised(to: step)
    }
  }
}
