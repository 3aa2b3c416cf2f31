import Foundation

/// The function of each row of `Kernels/elementwise.def`, in double precision.
enum RowTable {
  static let floatUnary: [String: @Sendable (Double) -> Double] = [
    "negate": { -$0 }, "absolute": { abs($0) }, "sqrt": { $0.squareRoot() },
    "rsqrt": { 1 / $0.squareRoot() }, "reciprocal": { 1 / $0 }, "exp": { exp($0) },
    "exp2": { exp2($0) }, "expm1": { expm1($0) }, "log": { log($0) }, "log2": { log2($0) },
    "log10": { log10($0) }, "log1p": { log1p($0) }, "sin": { sin($0) }, "cos": { cos($0) },
    "tan": { tan($0) }, "asin": { asin($0) }, "acos": { acos($0) }, "atan": { atan($0) },
    "sinh": { sinh($0) }, "cosh": { cosh($0) }, "tanh": { tanh($0) }, "asinh": { asinh($0) },
    "acosh": { acosh($0) }, "atanh": { atanh($0) }, "erf": { erf($0) }, "erfc": { erfc($0) },
    "erfinv": { inverseErf($0) }, "sigmoid": { sigmoid($0) },
    "gaussian": { exp(-$0 * $0 / 2) }, "floor": { $0.rounded(.down) },
    "ceil": { $0.rounded(.up) }, "round": { $0.rounded(.toNearestOrEven) },
    "truncate": { $0.rounded(.towardZero) },
    "sign": { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 },
  ]

  static let floatBinary: [String: @Sendable (Double, Double) -> Double] = [
    "add": { $0 + $1 }, "subtract": { $0 - $1 }, "multiply": { $0 * $1 }, "divide": { $0 / $1 },
    "minimum": { $0.isNaN || $1.isNaN ? .nan : min($0, $1) },
    "maximum": { $0.isNaN || $1.isNaN ? .nan : max($0, $1) },
    "power": { pow($0, $1) }, "atan2": { atan2($0, $1) }, "fmod": { fmod($0, $1) },
  ]

  static let floatTests: [String: @Sendable (Double) -> Bool] = [
    "isNaN": { $0.isNaN }, "isFinite": { $0.isFinite }, "isInfinite": { $0.isInfinite },
  ]

  static let comparisons: [String: @Sendable (Double, Double) -> Bool] = [
    "equal": { $0 == $1 }, "notEqual": { $0 != $1 }, "less": { $0 < $1 }, "lessOrEqual": { $0 <= $1 },
    "greater": { $0 > $1 }, "greaterOrEqual": { $0 >= $1 },
  ]

  static func sigmoid(_ x: Double) -> Double { x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)) }

  /// Computed by bisection on erf, or on erfc in the tails.
  static func inverseErf(_ x: Double) -> Double {
    guard abs(x) < 1 else { return abs(x) == 1 ? x * .infinity : .nan }
    if abs(x) < 1e-4 { return x * 0.8862269254527580 * (1 + .pi / 12 * x * x) }
    let t = abs(x)
    var (low, high) = (0.0, 6.0)
    for _ in 0..<70 {
      let middle = (low + high) / 2
      let isBelow = t < 0.5 ? erf(middle) < t : erfc(middle) > 1 - t
      if isBelow { low = middle } else { high = middle }
    }
    return x < 0 ? -low : low
  }

  // MARK: - Integers

  static func integerUnary<T: FixedWidthInteger & SignedInteger>(_ name: String, _ a: T) -> T? {
    switch name {
    case "negate": 0 &- a
    case "absolute": a < 0 ? 0 &- a : a
    case "sign": a.signum()
    case "bitNot": ~a
    case "logicalNot": a == 0 ? 1 : 0
    case "wrapInt8": T(Int8(truncatingIfNeeded: a))
    case "wrapUInt8": T(UInt8(truncatingIfNeeded: a))
    default: nil
    }
  }

  static func integerBinary<T: FixedWidthInteger & SignedInteger>(_ name: String, _ a: T, _ b: T) -> T? {
    let bits = T(T.bitWidth)
    switch name {
    case "add": return a &+ b
    case "subtract": return a &- b
    case "multiply": return a &* b
    case "minimum": return Swift.min(a, b)
    case "maximum": return Swift.max(a, b)
    case "divide": return b == 0 ? 0 : a.dividedReportingOverflow(by: b).partialValue
    case "fmod": return b == 0 || b == -1 ? 0 : a % b
    case "remainder", "floorDivide":
      guard b != 0 else { return 0 }
      guard b != -1 else { return name == "remainder" ? 0 : 0 &- a }
      let (quotient, rest) = a.quotientAndRemainder(dividingBy: b)
      let isMoved = rest != 0 && (rest < 0) != (b < 0)
      return name == "remainder" ? (isMoved ? rest + b : rest) : (isMoved ? quotient - 1 : quotient)
    case "power":
      if b < 0 { return a == 1 ? 1 : a == -1 ? (b & 1 == 0 ? 1 : -1) : 0 }
      var (result, square, rest): (T, T, T) = (1, a, b)
      while rest > 0 {
        if rest & 1 == 1 { result = result &* square }
        square = square &* square
        rest >>= 1
      }
      return result
    case "bitAnd": return a & b
    case "bitOr": return a | b
    case "bitXor": return a ^ b
    case "shiftLeft": return b < 0 || b >= bits ? 0 : a << b
    case "shiftRight":
      return b < 0 || b >= bits ? 0 : T(truncatingIfNeeded: T.Magnitude(truncatingIfNeeded: a) >> T.Magnitude(b))
    case "logicalAnd": return a != 0 && b != 0 ? 1 : 0
    case "logicalOr": return a != 0 || b != 0 ? 1 : 0
    case "logicalXor": return (a != 0) != (b != 0) ? 1 : 0
    default: return nil
    }
  }
}
