import ApusTensor
import Glibc

/// The number of an update, 1 for the first.
///
/// Updates that a loss scaler gives up do not count. How many there were is known to the device alone: what depends on
/// the number is then computed there.
public struct StepCount: Sendable, ExpressibleByIntegerLiteral {
  /// The number with the updates that were given up.
  public let attempts: Int
  /// The number of those; `nil` where none ever is.
  let skipped: Tensor?

  init(_ attempts: Int, skipped: Tensor?) {
    self.attempts = attempts
    self.skipped = skipped
  }

  /// An update after others none of which was given up.
  public init(integerLiteral value: Int) { self.init(value, skipped: nil) }

  /// A number that depends on that of the update.
  ///
  /// - Parameters:
  ///   - number: as for `UpdateRule.update(step:rate:number:)`.
  ///   - host: from the number of the update.
  ///   - device: the same formula in terms of tensors, of shape `[]`.
  public func number(
    _ number: (Double) -> Tensor, host: (_ step: Int) -> Double, device: (_ step: Tensor) -> Tensor
  ) -> Tensor {
    guard let skipped else { return number(host(attempts)) }
    let attempts = number(Double(attempts))
    return device(attempts - skipped.cast(to: attempts.dtype))
  }

  /// `scale / (1 − decayᵗ)`.
  public func corrected(_ scale: Double, decay: Double, _ number: (Double) -> Tensor) -> Tensor {
    self.number(number) {
      scale / (1 - decay.raised(to: $0))
    } device: {
      number(scale) / StepCount.correction($0, decay, number)
    }
  }

  /// `1 / √(1 − decayᵗ)`.
  func correctedRoot(decay: Double, _ number: (Double) -> Tensor) -> Tensor {
    self.number(number) {
      1 / (1 - decay.raised(to: $0)).squareRoot()
    } device: {
      StepCount.correction($0, decay, number).rsqrt()
    }
  }

  /// `1 − decayᵗ = −expm1(t · log decay)`, which keeps its digits where the power is near 1.
  private static func correction(_ step: Tensor, _ decay: Double, _ number: (Double) -> Tensor) -> Tensor {
    -(step * number(log(decay))).expm1()
  }
}
