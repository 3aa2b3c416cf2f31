import ApusTensor

/// Exponential moving averages in the form `keep · a + share · x`, where `a` is the average so far, `x` the new value,
/// `keep` is `β` and `share` is `1 − β`. The form `a + share · (x − a)` is `Tensor.lerp(to:_:)`.
extension Tensor {
  func averaged(with x: Tensor, keep: Tensor, share: Tensor) -> Tensor { self * keep + x * share }

  /// The average of squares. Both terms of the sum are at least 0, so rounding cannot make the average negative.
  func averaged(withSquareOf x: Tensor, keep: Tensor, share: Tensor) -> Tensor {
    averaged(with: x * x, keep: keep, share: share)
  }

  /// `√(v · correction) + ε` of an average `v` of squares, where `correction` is `1 / (1 − βᵗ)`.
  func correctedRoot(_ correction: Tensor, plus epsilon: Tensor) -> Tensor { (self * correction).sqrt() + epsilon }
}
