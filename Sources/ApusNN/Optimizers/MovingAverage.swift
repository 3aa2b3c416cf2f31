import ApusTensor

/// Exponential moving averages, the state of most rules.
extension Tensor {
  /// `m + share · (x − m)`: the average `m` moves toward `x` by a `share` of `1 − β`.
  func moved(toward x: Tensor, share: Tensor) -> Tensor { self + (x - self) * share }

  /// `keep · v + share · x²`, where `keep` is `β` and `share` is `1 − β`: the average `v` of squares. The terms are at
  /// least 0, so that rounding cannot make the average negative.
  func averaged(withSquareOf x: Tensor, keep: Tensor, share: Tensor) -> Tensor { self * keep + x * x * share }
}
