import ApusTensor

/// Exponential moving averages, the state of most update rules. `self` is the old average, and the result is the new
/// average, which includes the value `x`.
extension Tensor {
  /// `m + share · (x − m)`: the average `m` moves toward `x` by the fraction `share` of their distance.
  func moved(toward x: Tensor, share: Tensor) -> Tensor { self + (x - self) * share }

  /// `keep · v + share · x²`, where `keep + share` is 1: the average `v` of squares. The terms are at least 0, so
  /// rounding cannot make the average negative.
  func averaged(withSquareOf x: Tensor, keep: Tensor, share: Tensor) -> Tensor { self * keep + x * x * share }
}
