import Apus
import ApusDevice

/// The allowed difference between the result of an operation and its scalar reference.
public enum Tolerance: Sendable {
  /// No rounding: moves, comparisons, integers.
  case exact
  /// One function: a relative error of `4·2⁻²³` in `float32`, `4·2⁻⁵²` in `float64`, 1e-3 in `float16` and 1.6e-2 in
  /// `bfloat16`; for subnormal numbers, 4 units in the last place.
  case elementwise
  /// A sum of `terms` products `tᵢ`: `4·√terms·2⁻²⁴·Σ|tᵢ|` in `float32`. The reference computes `Σ|tᵢ|` from the
  /// absolute values of the inputs; so no product may have a negative constant factor.
  case sum(terms: Int)
  /// Several functions, one after another: `steps` times the error of one function, relative to the result, or to
  /// `scale` if `scale` is larger.
  case composed(steps: Int, scale: Double = 0)

  /// The largest allowed difference at one element.
  ///
  /// - Parameters:
  ///   - expected: the reference's value.
  ///   - magnitude: the reference's value for the absolute values of the inputs.
  public func bound(_ expected: Double, magnitude: Double, dtype: DType) -> Double {
    guard dtype.isFloatingPoint else { return 0 }
    switch self {
    case .exact: return 0
    case .elementwise:
      // Subnormal numbers all have the same spacing.
      return max(Tolerance.relative(dtype) * expected.magnitude, 4 * Tolerance.format(dtype).unit(at: 0))
    case .sum(let terms):
      switch dtype {
      case .float32: return 4 * Double(max(terms, 1)).squareRoot() * 0x1p-24 * magnitude
      case .float64: return 4 * Double(max(terms, 1)).squareRoot() * 0x1p-53 * magnitude
      default: return Tolerance.relative(dtype) * magnitude
      }
    case .composed(let steps, let scale):
      return Double(steps) * Tolerance.relative(dtype) * max(expected.magnitude, scale)
    }
  }

  /// The error that one function may have, relative to its result.
  private static func relative(_ dtype: DType) -> Double {
    switch dtype {
    case .float16: 1e-3
    case .bfloat16: 1.6e-2
    case .float64: 4 * 0x1p-52
    default: 4 * 0x1p-23
    }
  }

  /// The tolerance of gradients in `float32` against gradients in `float64`, relative to the largest element of a
  /// tensor: ten times the error that a sum of `terms` terms may have.
  public static func gradient(terms: Int) -> Double { 10 * 4 * Double(max(terms, 1)).squareRoot() * 0x1p-24 }

  /// The relative tolerance of finite differences in `float64`.
  public static let finiteDifference = 1e-6
  /// The step of finite differences.
  public static let finiteDistance = 1e-5

  static func format(_ dtype: DType) -> Rounding {
    switch dtype {
    case .float16: .float16
    case .bfloat16: .bfloat16
    case .float64: .float64
    default: .float32
    }
  }
}

/// The difference of two values in units in the last place of `expected`. It is 0 for equal values and for two NaNs,
/// and infinite for all other pairs with a NaN or an infinity.
public func unitsInLastPlace(_ value: Double, _ expected: Double, _ dtype: DType) -> Double {
  if value == expected || value.isNaN && expected.isNaN { return 0 }
  guard value.isFinite, expected.isFinite else { return .infinity }
  return (value - expected).magnitude / Tolerance.format(dtype).unit(at: expected)
}
