import ApusDevice
import Foundation

extension Instruction {
  /// The result before it is rounded to the lane `result`.
  func value(of operands: [Scalar]) -> Scalar {
    switch function {
    case .constant: return immediate!
    case .random:
      let (place, seed, counter) = (operands[0].integer, operands[1].integer, operands[2].integer)
      return .integer(Int64(Int32(bitPattern: randomWord(Int(place), seed: seed, counter: counter))))
    case .select: return operands[0].integer != 0 ? operands[1] : operands[2]
    case .convert: return converted(operands[0])
    case .row(.unitFloat):
      return .float(Double(UInt32(truncatingIfNeeded: operands[0].integer) >> 8) * 0x1p-24)
    case .row: break
    }
    if lane.isFloatingPoint {
      let numbers = operands.map(\.double)
      if let test = Reference.test(function.name, numbers) { return .integer(test ? 1 : 0) }
      return .float(Reference.float(function.name, numbers))
    }
    let numbers = operands.map(\.integer)
    if let test = Reference.test(function.name, numbers) { return .integer(test ? 1 : 0) }
    return .integer(Reference.integer(function.name, numbers, bits: lane == .int32 ? 32 : 64))
  }

  private func converted(_ value: Scalar) -> Scalar {
    guard lane.isFloatingPoint, !result.isFloatingPoint else {
      // The value is rounded or wrapped later, when it is stored in a register.
      if case .integer(let integer) = value, result.isFloatingPoint { return .float(Double(integer)) }
      return value
    }
    let bounds = result == .int32 ? (Int64(Int32.min), Int64(Int32.max)) : (Int64.min, Int64.max)
    return .integer(min(max(value.integer, bounds.0), bounds.1))
  }
}

/// The functions of `Kernels/elementwise.def`, in `Double` and `Int64`.
public enum Reference {
  static func test(_ name: String, _ x: [Double]) -> Bool? {
    switch name {
    case "isNaN": x[0].isNaN
    case "isFinite": x[0].isFinite
    case "isInfinite": x[0].isInfinite
    default: comparison(name, x)
    }
  }

  static func test(_ name: String, _ x: [Int64]) -> Bool? {
    switch name {
    case "logicalAnd": x[0] != 0 && x[1] != 0
    case "logicalOr": x[0] != 0 || x[1] != 0
    case "logicalXor": (x[0] != 0) != (x[1] != 0)
    case "logicalNot": x[0] == 0
    default: comparison(name, x)
    }
  }

  private static func comparison<T: Comparable>(_ name: String, _ x: [T]) -> Bool? {
    switch name {
    case "equal": x[0] == x[1]
    case "notEqual": x[0] != x[1]
    case "less": x[0] < x[1]
    case "lessOrEqual": x[0] <= x[1]
    case "greater": x[0] > x[1]
    case "greaterOrEqual": x[0] >= x[1]
    default: nil
    }
  }

  static func float(_ name: String, _ x: [Double]) -> Double {
    if x.count == 2 { return float(name, x[0], x[1]) }
    switch name {
    case "roundFloat16": return Rounding.float16.rounded(x[0])
    case "roundBFloat16": return Rounding.bfloat16.rounded(x[0])
    case "gelu": return gelu(x[0])
    default:
      guard let function = UnaryFunction.byName[name] else { fatalError("no row \(name) for floating-point numbers") }
      return function.reference(x[0])
    }
  }

  /// `x · Φ(x)`.
  public static func gelu(_ x: Double) -> Double { 0.5 * x * erfc(-x / 2.0.squareRoot()) }

  private static func float(_ name: String, _ a: Double, _ b: Double) -> Double {
    switch name {
    case "add": return a + b
    case "subtract": return a - b
    case "multiply": return a * b
    case "divide": return a / b
    case "power": return pow(a, b)
    case "atan2": return atan2(a, b)
    case "fmod": return fmod(a, b)
    case "normal": return 0.5 * erfc(-a / 2.0.squareRoot())
    case "minimum": return a < b || a.isNaN ? a : b
    case "maximum": return a > b || a.isNaN ? a : b
    case "remainder":
      let rest = fmod(a, b)
      if rest == 0 { return b < 0 ? -0.0 : 0 }
      return (rest < 0) != (b < 0) ? rest + b : rest
    case "floorDivide": return (a / b).rounded(.down)
    default: fatalError("no row \(name) for two floating-point numbers")
    }
  }

  static func integer(_ name: String, _ x: [Int64], bits: Int) -> Int64 {
    let a = x[0]
    let b = x.count > 1 ? x[1] : 0
    let least = bits == 32 ? Int64(Int32.min) : .min
    switch name {
    case "add": return a &+ b
    case "subtract": return a &- b
    case "multiply": return a &* b
    case "minimum": return min(a, b)
    case "maximum": return max(a, b)
    case "negate": return 0 &- a
    case "absolute": return a < 0 ? 0 &- a : a
    case "sign": return a.signum()
    case "divide": return b == 0 ? 0 : a == least && b == -1 ? a : a / b
    case "fmod": return b == 0 || b == -1 ? 0 : a % b
    case "remainder":
      guard b != 0, b != -1 else { return 0 }
      return a % b != 0 && (a % b < 0) != (b < 0) ? a % b + b : a % b
    case "floorDivide":
      guard b != 0 else { return 0 }
      if a == least && b == -1 { return a }
      return a % b != 0 && (a < 0) != (b < 0) ? a / b - 1 : a / b
    case "power":
      if b < 0 { return a == 1 ? 1 : a == -1 ? (b & 1 == 1 ? -1 : 1) : 0 }
      return (0..<min(b, 4096)).reduce(1) { result, _ in result &* a }
    case "bitAnd": return a & b
    case "bitOr": return a | b
    case "bitXor": return a ^ b
    case "bitNot": return ~a
    case "shiftLeft": return b < 0 || b >= bits ? 0 : a << b
    case "shiftRight":
      if b < 0 || b >= bits { return 0 }
      return bits == 32
        ? Int64(UInt32(truncatingIfNeeded: a) >> UInt32(b)) : Int64(bitPattern: UInt64(bitPattern: a) >> UInt64(b))
    case "wrapInt8": return Int64(Int8(truncatingIfNeeded: a))
    case "wrapUInt8": return Int64(UInt8(truncatingIfNeeded: a))
    default: fatalError("no row \(name) for integers")
    }
  }

  /// `erf⁻¹(y)` by Newton's method on `erf`, or on `erfc` for `|y| ≥ 0.5`, where `1 − erf(x)` loses digits.
  public static func inverseErrorFunction(_ y: Double) -> Double {
    guard y.magnitude < 1 else { return y.magnitude == 1 ? y * .infinity : .nan }
    if y == 0 { return y }
    // Winitzki's approximation has a relative error of up to 2e-3.
    let logarithm = log((1 - y) * (1 + y))
    let half = 2 / (Double.pi * 0.147) + logarithm / 2
    var x = ((half * half - logarithm / 0.147).squareRoot() - half).squareRoot()
    let target = y.magnitude
    for _ in 0..<4 {
      let error = target < 0.5 ? erf(x) - target : (1 - target) - erfc(x)
      x -= error / (2 / Double.pi.squareRoot() * exp(-x * x))
    }
    return y < 0 ? -x : x
  }
}
