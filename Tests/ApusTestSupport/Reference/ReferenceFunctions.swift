import ApusDevice
import Foundation

extension Instruction {
  /// The value of the instruction, before it is rounded or wrapped to the arithmetic type `result`.
  func value(of operands: [Scalar]) -> Scalar {
    switch function {
    case .constant: return immediate!
    case .random:
      let (place, seed, counter) = (operands[0].integer, operands[1].integer, operands[2].integer)
      return .integer(Int64(Int32(bitPattern: randomWord(Int(place), seed: seed, counter: counter))))
    case .select: return operands[0].integer != 0 ? operands[1] : operands[2]
    case .convert: return converted(operands[0])
    case .row(let row):
      guard let entry = RowFunction.of(row) else { fatalError("RowFunction.all lacks the row \(row)") }
      return entry.value(of: operands, in: lane)
    }
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

/// Functions that `Foundation` lacks.
enum Reference {
  /// `erf⁻¹(y)` by Newton's method on `erf`, or on `erfc` for `|y| ≥ 0.5`, where `1 − erf(x)` loses digits.
  static func inverseErrorFunction(_ y: Double) -> Double {
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
