import ApusTensor
import Glibc

/// The number `t` of an update; the first is 1. Updates that a loss scaler skips do not count:
/// `t = attempts − skipped`.
///
/// Only the device knows how many updates were skipped, so with loss scaling the values that depend on `t` are computed
/// on the device.
public struct StepCount: Sendable, ExpressibleByIntegerLiteral {
  /// The number of attempted updates, including this one and skipped ones.
  public let attempts: Int
  /// The number of skipped updates; `nil` without loss scaling.
  let skipped: Tensor?

  init(_ attempts: Int, skipped: Tensor?) {
    self.attempts = attempts
    self.skipped = skipped
  }

  /// An update with no skipped updates before it.
  public init(integerLiteral value: Int) { self.init(value, skipped: nil) }

  /// A value that depends on `t`, a scalar of shape `[]`.
  ///
  /// - Parameters:
  ///   - number: makes a scalar tensor of a number that differs from step to step; see
  ///     `UpdateRule.update(step:rate:number:)`.
  ///   - host: computes the value from `t`.
  ///   - device: the same formula in terms of tensors, of shape `[]`.
  public func number(
    _ number: (Double) -> Tensor, host: (_ step: Int) -> Double, device: (_ step: Tensor) -> Tensor
  ) -> Tensor {
    guard let skipped else { return number(host(attempts)) }
    let attempts = number(Double(attempts))
    return device(attempts - skipped.cast(to: attempts.dtype))
  }

  /// `scale / (1 − decayᵗ)` for update `t`, a scalar of shape `[]`.
  public func corrected(_ scale: Double, decay: Double, _ number: (Double) -> Tensor) -> Tensor {
    self.number(number) {
      scale / decay.biasCorrection($0)
    } device: {
      number(scale) / StepCount.correction($0, decay, number)
    }
  }

  /// `1 / √(1 − decayᵗ)`.
  func correctedRoot(decay: Double, _ number: (Double) -> Tensor) -> Tensor {
    self.number(number) {
      1 / decay.biasCorrection($0).squareRoot()
    } device: {
      StepCount.correction($0, decay, number).rsqrt()
    }
  }

  /// `1 − decayᵗ = −expm1(t · log decay)`, which stays accurate where the power is near 1.
  private static func correction(_ step: Tensor, _ decay: Double, _ number: (Double) -> Tensor) -> Tensor {
    -(step * number(log(decay))).expm1()
  }
}
