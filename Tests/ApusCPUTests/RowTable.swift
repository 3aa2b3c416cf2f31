import Foundation

/// The expected values of rows that have no `UnaryFunction`. Those of floating-point rows are computed in `Double`,
/// those of integer rows in the type of the row's lane. `RowTests` has separate tests for the few floating-point rows
/// that have neither a `UnaryFunction` nor an entry here.
enum RowTable {
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
