/// A binary floating-point format with subnormal numbers. A normal number has `fractionBits` binary digits after the
/// leading 1.
public struct Rounding: Sendable {
  let fractionBits: Int
  let leastExponent: Int
  let greatestExponent: Int

  public static let float16 = Rounding(fractionBits: 10, leastExponent: -14, greatestExponent: 15)
  public static let bfloat16 = Rounding(fractionBits: 7, leastExponent: -126, greatestExponent: 127)
  public static let float32 = Rounding(fractionBits: 23, leastExponent: -126, greatestExponent: 127)
  public static let float64 = Rounding(fractionBits: 52, leastExponent: -1022, greatestExponent: 1023)

  /// The spacing of neighboring numbers at `value`.
  public func unit(at value: Double) -> Double {
    let exponent = value == 0 || !value.isFinite ? leastExponent : max(Int(value.exponent), leastExponent)
    return Double(sign: .plus, exponent: exponent - fractionBits, significand: 1)
  }

  /// The nearest number of the format, with ties to even; infinite if the rounded value exceeds the largest number.
  public func rounded(_ value: Double) -> Double {
    guard value.isFinite, value != 0, fractionBits < 52 else { return value }
    let unit = unit(at: value)
    let result = (value / unit).rounded(.toNearestOrEven) * unit
    return result.magnitude < Double(sign: .plus, exponent: greatestExponent + 1, significand: 1)
      ? result : Double(signOf: value, magnitudeOf: .infinity)
  }

  // MARK: - 16-bit patterns

  /// - Precondition: the value is a number of the format.
  func bits(of value: Double) -> UInt16 {
    let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
    let special = UInt16(greatestExponent + 1 - leastExponent + 1) << UInt16(fractionBits)
    if value.isNaN { return sign | special | 1 << UInt16(fractionBits - 1) }
    if value.isInfinite { return sign | special }
    precondition(rounded(value) == value, "\(value) is stored unrounded")
    if value == 0 { return sign }
    let exponent = max(Int(value.exponent), leastExponent)
    let significand = UInt16(value.magnitude / unit(at: value))
    // The leading 1 of a normal number adds 1 to the exponent field.
    return sign | UInt16(exponent - leastExponent) << UInt16(fractionBits) + significand
  }

  func value(ofBits bits: UInt16) -> Double {
    let sign = bits & 0x8000 == 0 ? 1.0 : -1.0
    let field = Int(bits & 0x7FFF) >> fractionBits
    let fraction = Int(bits) & (1 << fractionBits - 1)
    if field == greatestExponent + 1 - leastExponent + 1 { return fraction == 0 ? sign * .infinity : .nan }
    let significand = Double(field == 0 ? fraction : fraction + 1 << fractionBits)
    let exponent = max(field, 1) - 1 + leastExponent - fractionBits
    return sign * significand * Double(sign: .plus, exponent: exponent, significand: 1)
  }
}
