import ApusTensor

/// The tolerance for the difference of two computed values.
struct Tolerance {
  let dtype: DType
  let accuracy: PendingOperation.Accuracy

  /// The bound on the difference in an element.
  ///
  /// - operations that only move, compare or select values: 0,
  /// - elementwise functions: 4 units in the last place,
  /// - sums of `K` terms: `4 · √K · u · Σ|terms|`, where `u` is half a unit in the last place of 1,
  /// - composed operations (recurrent layers, and the gradients of recurrent layers and of attention): `4 · √K · u`
  ///   times the largest magnitude in the result, where `K` is the number of elements of all inputs,
  /// - functions, sums and composed operations in float16: `10⁻³ · max(|value|, magnitude)`, in bfloat16:
  ///   `1.6 · 10⁻² · max(|value|, magnitude)`.
  ///
  /// The smallest positive number of the type is added to the bounds in float16 and bfloat16, and to the bounds of sums
  /// and composed operations in float32.
  ///
  /// - Parameters:
  ///   - value: the expected value.
  ///   - magnitude: for sums, the sum of the terms' magnitudes; for composed operations, the magnitude of the largest
  ///     element; otherwise 0.
  func bound(_ value: Double, magnitude: Double) -> Double {
    switch (accuracy, dtype) {
    case (.exact, _): return 0
    case (_, .float16): return 1e-3 * max(abs(value), magnitude) + 0x1p-24
    case (_, .bfloat16): return 1.6e-2 * max(abs(value), magnitude) + 0x1p-133
    case (.elementwise, .float32): return 4 * Double(Float(abs(value)).ulp)
    case (.elementwise, .float64): return 4 * value.ulp
    case (.sum(let count), .float32), (.composed(let count), .float32):
      return 4 * Double(count).squareRoot() * 0x1p-24 * magnitude + 0x1p-149
    case (.sum(let count), .float64), (.composed(let count), .float64):
      return 4 * Double(count).squareRoot() * 0x1p-53 * magnitude
    default: return 0
    }
  }

  /// The difference as a fraction of the bound: above 1 the values differ. Infinities with the same sign count as
  /// equal, and so do two NaNs.
  func share(_ value: Double, _ expected: Double, magnitude: Double) -> Double {
    if value == expected || value.isNaN && expected.isNaN { return 0 }
    guard value.isFinite, expected.isFinite else { return .infinity }
    let bound = bound(expected, magnitude: magnitude)
    return bound > 0 ? abs(value - expected) / bound : .infinity
  }
}
