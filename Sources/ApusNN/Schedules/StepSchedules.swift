import ApusSystem
import Glibc

/// The factor `γ^⌊t / every⌋` of the learning rate at step `t` (`torch.optim.lr_scheduler.StepLR`).
public struct StepSchedule: Schedule {
  public static let name = "step"
  /// The number of steps after which the rate is reduced again; `nil` for a third of the run.
  public var every: Int?
  /// The factor `γ`.
  public var gamma: Double

  public init(every: Int? = nil, gamma: Double = 0.1) {
    self.every = every
    self.gamma = gamma
  }

  public func factor(step: Int, of total: Int) -> Double {
    gamma.raised(to: step / max(every ?? total.quotientRoundedUp(by: 3), 1))
  }
}

/// The factor `γ` to the power of the number of milestones reached (`torch.optim.lr_scheduler.MultiStepLR`).
public struct MultiStepSchedule: Schedule {
  public static let name = "multi-step"
  /// The steps at which the rate is reduced; `nil` for half and three quarters of the run (He et al., 2016).
  public var milestones: [Int]?
  /// The factor `γ`.
  public var gamma: Double

  public init(milestones: [Int]? = nil, gamma: Double = 0.1) {
    self.milestones = milestones
    self.gamma = gamma
  }

  public func factor(step: Int, of total: Int) -> Double {
    let milestones = milestones ?? [max(total / 2, 1), max(total / 4 * 3 + total % 4 * 3 / 4, 1)]
    return gamma.raised(to: milestones.count { step >= $0 })
  }
}

/// The factor `γᵗ` at step `t` (`torch.optim.lr_scheduler.ExponentialLR`).
public struct ExponentialSchedule: Schedule {
  public static let name = "exponential"
  /// The factor `γ`; `nil` for the value that reduces the rate to a hundredth over the run.
  public var gamma: Double?

  public init(gamma: Double? = nil) { self.gamma = gamma }

  public func factor(step: Int, of total: Int) -> Double {
    guard let gamma else { return pow(0.01, Double(step) / Double(max(total, 1))) }
    return gamma.raised(to: step)
  }
}

/// The factor `1 / (1 + decay · t)` at step `t`. The sum of the rates diverges, and the sum of their squares converges:
/// the conditions of Robbins and Monro (1951) for the convergence of stochastic approximation.
public struct InverseTimeSchedule: Schedule {
  public static let name = "inverse-time"
  /// The decay; `nil` for the value that reduces the rate to a tenth over the run.
  public var decay: Double?

  public init(decay: Double? = nil) { self.decay = decay }

  public func factor(step: Int, of total: Int) -> Double {
    1 / (1 + (decay ?? 9 / Double(max(total, 1))) * Double(step))
  }
}

/// The factor `final + (1 − final) · (1 − t / steps)ᵖ` at step `t`, then `final`
/// (`torch.optim.lr_scheduler.PolynomialLR`).
public struct PolynomialSchedule: Schedule {
  public static let name = "polynomial"
  /// The exponent `p`.
  public var power: Double
  /// The length of the decay; `nil` for the whole run.
  public var steps: Int?
  /// The factor at the end.
  public var final: Double

  public init(power: Double = 1, steps: Int? = nil, final: Double = 0) {
    self.power = power
    self.steps = steps
    self.final = final
  }

  public func factor(step: Int, of total: Int) -> Double {
    let length = max(steps ?? total, 1)
    return final.lerp(to: 1, pow(1 - Double(min(step, length)) / Double(length), power))
  }
}
