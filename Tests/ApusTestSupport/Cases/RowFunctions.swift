import Apus
import ApusDevice
import Foundation

/// One entry for each row of `Kernels/elementwise.def`. For a new row, the tests need only a new entry here.
extension RowFunction {
  public static let all: [RowFunction] = functions + arithmetic + tests + bits + conversions

  private static let floats = OpCase.floats
  private static let numbers = OpCase.numbers

  /// Functions of one number.
  private static let functions: [RowFunction] = [
    .unary(.exp, on: -10...10, { $0.exp() }, { exp($0) }),
    .unary(.exp2, on: -10...10, { $0.exp2() }, { exp2($0) }),
    .unary(.expm1, { $0.expm1() }, { expm1($0) }),
    .unary(.log, on: 0.01...20, { $0.log() }, { log($0) }),
    .unary(.log2, on: 0.01...20, { $0.log2() }, { log2($0) }),
    .unary(.log10, on: 0.01...20, { $0.log10() }, { log10($0) }),
    .unary(.log1p, on: -0.9...3, { $0.log1p() }, { log1p($0) }),
    .unary(.sqrt, on: 0.01...20, { $0.sqrt() }, { $0.squareRoot() }),
    .unary(.rsqrt, on: 0.05...20, { $0.rsqrt() }, { 1 / $0.squareRoot() }),
    .unary(
      .reciprocal, on: 0.1...5, { $0.reciprocal() }, { 1 / $0 },
      special: [
        .init(
          "reciprocal's derivative", .float16, [0x1p-10], expected: [-1024],
          SpecialCase.derivative { $0.reciprocal() * 0x1p-10 })
      ]),
    .unary(.sin, on: -6...6, { $0.sin() }, { sin($0) }),
    .unary(.cos, on: -6...6, { $0.cos() }, { cos($0) }),
    .unary(.tan, on: -1.4...1.4, { $0.tan() }, { tan($0) }),
    .unary(.asin, on: -0.9...0.9, { $0.asin() }, { asin($0) }),
    .unary(.acos, on: -0.9...0.9, { $0.acos() }, { acos($0) }),
    .unary(
      .atan, on: -4...4, { $0.atan() }, { atan($0) },
      special: [
        .init(
          "atan's derivative", .float16, [300, -1000], expected: [1 / 90001.0, 1 / 1_000_001.0],
          SpecialCase.derivative { $0.atan() })
      ]),
    .unary(.sinh, on: -4...4, { $0.sinh() }, { sinh($0) }),
    .unary(.cosh, on: -4...4, { $0.cosh() }, { cosh($0) }),
    .unary(.tanh, on: -4...4, { $0.tanh() }, { tanh($0) }),
    .unary(
      .asinh, on: -4...4, { $0.asinh() }, { asinh($0) },
      special: [
        .init(
          "asinh's derivative", .float16, [300, -1000], expected: [1 / 300.0, 1 / 1000.0],
          SpecialCase.derivative { $0.asinh() })
      ]),
    .unary(.acosh, on: 1.2...9, { $0.acosh() }, { acosh($0) }),
    .unary(.atanh, on: -0.9...0.9, { $0.atanh() }, { atanh($0) }),
    .unary(.erf, on: -3...3, { $0.erf() }, { erf($0) }),
    .unary(.erfc, on: -3...3, { $0.erfc() }, { erfc($0) }),
    .unary(.erfinv, on: -0.95...0.95, { $0.erfinv() }, { Reference.inverseErrorFunction($0) }),
    .unary(.sigmoid, on: -8...8, { $0.sigmoid() }, { $0 < 0 ? exp($0) / (1 + exp($0)) : 1 / (1 + exp(-$0)) }),
    .unary(
      .negate, named: "-", dtypes: floats + [.int64, .int32, .int8], tolerance: .exact, { -$0 }, { -$0 },
      integers: { 0 &- $0 },
      special: [.init("negate", .bool, [1, 0], expected: [-1, 0]) { -$0[0] }]),
    .unary(
      .absolute, named: "abs", dtypes: numbers, tolerance: .exact, { $0.abs() }, { abs($0) },
      integers: { $0 < 0 ? 0 &- $0 : $0 }),
    .unary(
      .relu, dtypes: numbers, tolerance: .exact, { $0.relu() }, { $0 > 0 || $0.isNaN ? $0 : 0 },
      integers: { max($0, 0) }),
    .unary(
      .sign, on: -3...3, dtypes: numbers, tolerance: .exact, { $0.sign() }, { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 },
      integers: { $0.signum() }),
    .unary(.floor, on: -9...9, dtypes: numbers, tolerance: .exact, { $0.floor() }, { $0.rounded(.down) }),
    .unary(.ceil, on: -9...9, dtypes: numbers, tolerance: .exact, { $0.ceil() }, { $0.rounded(.up) }),
    .unary(
      .round, named: "rounded", on: -9...9, dtypes: numbers, tolerance: .exact, { $0.rounded() },
      { $0.rounded(.toNearestOrEven) }),
    .unary(
      .truncate, named: "truncated", on: -9...9, dtypes: numbers, tolerance: .exact, { $0.truncated() },
      { $0.rounded(.towardZero) }),
    .unary(.gaussian, on: -4...4, { $0.gaussian() }, { exp(-$0 * $0 / 2) }),
    .unary(
      .gelu, on: -5...5, tolerance: .composed(steps: 4, scale: 0.05), hasLoopTest: true, { $0.gelu() },
      { 0.5 * $0 * erfc(-$0 / 2.0.squareRoot()) },
      special: [
        .init(
          "GELU's second derivative", .float32, [1e25, -300, 0], expected: [0, 0, 0.7978845608],
          SpecialCase.secondDerivative { $0.gelu() })
      ]),
  ]

  /// Functions of two numbers.
  private static let arithmetic: [RowFunction] = [
    .binary(.add, named: "+", dtypes: numbers, { $0 + $1 }, { $0 + $1 }, integers: { $0 &+ $1 }),
    .binary(
      .subtract, named: "-(of two)", and: -2...0, dtypes: floats + [.int64, .int32, .int8], { $0 - $1 }, { $0 - $1 },
      integers: { $0 &- $1 }),
    .binary(
      .multiply, named: "*", on: -9...9, and: -9...9, dtypes: numbers, { $0 * $1 }, { $0 * $1 },
      integers: { $0 &* $1 }),
    .binary(
      .divide, named: "/", and: 0.5...4, { $0 / $1 }, { $0 / $1 },
      integers: { $1 == 0 ? 0 : $1 == -1 ? 0 &- $0 : $0 / $1 }),
    .binary(
      .minimum, dtypes: numbers, tolerance: .exact, { $0.minimum($1) }, { $0 < $1 || $0.isNaN ? $0 : $1 },
      integers: { min($0, $1) }),
    .binary(
      .maximum, dtypes: numbers, tolerance: .exact, { $0.maximum($1) }, { $0 > $1 || $0.isNaN ? $0 : $1 },
      integers: { max($0, $1) }),
    .binary(
      .power, on: 0.1...3, { $0.power($1) }, { pow($0, $1) },
      integers: { base, exponent in
        if exponent < 0 { return base == 1 ? 1 : base == -1 ? (exponent & 1 == 0 ? 1 : -1) : 0 }
        var (result, square, rest): (Int64, Int64, Int64) = (1, base, exponent)
        while rest > 0 {
          if rest & 1 == 1 { result = result &* square }
          square = square &* square
          rest >>= 1
        }
        return result
      }),
    .binary(
      .atan2, { $0.atan2($1) }, { atan2($0, $1) },
      special: [
        .init(
          "atan2's derivatives", .float16, [300], [400], expected: [0.0016, -0.0012],
          SpecialCase.derivatives { $0.atan2($1) }),
        .init(
          "atan2's derivatives", .float32, [0, -0.0], [0, -0.0], expected: [0, 0, 0, 0],
          SpecialCase.derivatives { $0.atan2($1) }),
      ]),
    .binary(
      .leakyRelu, named: "prelu", and: -1...1, dtypes: numbers, { $0.prelu(slope: $1) }, { $0 > 0 ? $0 : $0 * $1 },
      integers: { $0 > 0 ? $0 : $0 &* $1 }),
    // The gradient with respect to the argument of a function. The first operand is the gradient with respect to the
    // function's value, the second is this value.
    .binary(
      .tanhGradient, and: -0.9...0.9, hasLoopTest: true, { $0.tanhGradient($1) }, { $0 * (1 - $1 * $1) }),
    .binary(
      .sigmoidGradient, and: 0.1...0.9, hasLoopTest: true, { $0.sigmoidGradient($1) }, { $0 * ($1 * (1 - $1)) }),
    .binary(.reluGradient, tolerance: .exact, { $0.reluGradient($1) }, { $1 > 0 ? $0 : 0 }),
    .binary(
      .fmod, on: -9...9, and: 1...4, dtypes: numbers, { $0.fmod($1) }, { fmod($0, $1) },
      integers: { $1 == 0 || $1 == -1 ? 0 : $0 % $1 },
      special: [
        .init("fmod", .int64, [9_007_199_254_740_994, -7, 5], [3, 3, 0], expected: [1, -1, 0]) { $0[0].fmod($0[1]) }
      ]),
    .binary(
      .remainder, on: -9...9, and: 1...4, dtypes: numbers, hasLoopTest: true, { $0.remainder($1) },
      { a, b in
        let rest = fmod(a, b)
        if rest == 0 { return b < 0 ? -0.0 : 0 }
        return (rest < 0) != (b < 0) ? rest + b : rest
      },
      integers: { a, b in
        guard b != 0, b != -1 else { return 0 }
        return a % b != 0 && (a % b < 0) != (b < 0) ? a % b + b : a % b
      }),
    .binary(
      .floorDivide, named: "floorDivided", on: -9...9, and: 1...4, dtypes: numbers, tolerance: .exact,
      hasLoopTest: true, { $0.floorDivided(by: $1) }, { ($0 / $1).rounded(.down) },
      integers: { a, b in
        guard b != 0 else { return 0 }
        if b == -1 { return 0 &- a }
        return a % b != 0 && (a < 0) != (b < 0) ? a / b - 1 : a / b
      }),
    // The normal distribution function of `a`. In `float32`, the second operand of the loop is `exp(−a²/2)`.
    .binary(.normal, hasLoopTest: true, nil, { a, _ in 0.5 * erfc(-a / 2.0.squareRoot()) }),
  ]

  /// Comparisons, predicates of one number, and logical operations.
  private static let tests: [RowFunction] = [
    .comparison(
      .equal, named: ".==", { $0 .== $1 }, { $0 == $1 },
      special: [.init("equal", .uint8, [3, 200], expected: [0, 0]) { $0[0] .== 259 }]),
    .comparison(.notEqual, named: ".!=", { $0 .!= $1 }, { $0 != $1 }),
    .comparison(
      .less, named: ".<", { $0 .< $1 }, { $0 < $1 },
      special: [.init("less", .uint8, [3, 200], expected: [1, 1]) { $0[0] .< 300 }]),
    .comparison(.lessOrEqual, named: ".<=", { $0 .<= $1 }, { $0 <= $1 }),
    .comparison(
      .greater, named: ".>", { $0 .> $1 }, { $0 > $1 },
      special: [.init("greater", .uint8, [3, 200], expected: [1, 1]) { $0[0] .> -1 }]),
    .comparison(.greaterOrEqual, named: ".>=", { $0 .>= $1 }, { $0 >= $1 }),
    .test(.isNaN, { $0.isNaN() }, { $0.isNaN }),
    .test(.isFinite, { $0.isFinite() }, { $0.isFinite }),
    .test(.isInfinite, { $0.isInfinite() }, { $0.isInfinite }),
    .logical(.logicalAnd, { $0.logicalAnd($1) }, { $0 && $1 }),
    .logical(.logicalOr, { $0.logicalOr($1) }, { $0 || $1 }),
    .logical(.logicalXor, { $0.logicalXor($1) }, { $0 != $1 }),
    .unary(
      .logicalNot, on: 0...1, dtypes: numbers, tolerance: .exact, derivatives: .none, { $0.rounded().logicalNot() },
      nil, integers: { $0 == 0 ? 1 : 0 }),
  ]

  /// Bitwise operations and shifts of integers.
  private static let bits: [RowFunction] = [
    .bits(.bitAnd, { $0.bitAnd($1) }, { a, b, _ in a & b }),
    .bits(.bitOr, { $0.bitOr($1) }, { a, b, _ in a | b }),
    .bits(.bitXor, { $0.bitXor($1) }, { a, b, _ in a ^ b }),
    .bits(.shiftLeft, named: "shiftedLeft", { $0.shiftedLeft(by: $1) }) { a, b, bits in
      b < 0 || b >= bits ? 0 : a << b
    },
    .bits(.shiftRight, named: "shiftedRight", { $0.shiftedRight(by: $1) }) { a, b, bits in
      if b < 0 || b >= bits { return 0 }
      return bits == 32
        ? Int64(UInt32(truncatingIfNeeded: a) >> UInt32(b)) : Int64(bitPattern: UInt64(bitPattern: a) >> UInt64(b))
    },
    .unary(
      .bitNot, on: 0...60, dtypes: [.int64, .int32, .int8], tolerance: .exact, derivatives: .none, { $0.bitNot() },
      nil, integers: { ~$0 },
      special: [.init("bitNot", .bool, [1, 0], expected: [0, 1]) { $0[0].bitNot() }]),
  ]

  /// Rows that the planner inserts, and the row of random numbers.
  private static let conversions: [RowFunction] = [
    .unary(.wrapInt8, nil, nil, integers: { Int64(Int8(truncatingIfNeeded: $0)) }),
    .unary(.wrapUInt8, nil, nil, integers: { Int64(UInt8(truncatingIfNeeded: $0)) }),
    .unary(.roundFloat16, hasLoopTest: true, nil, { Rounding.float16.rounded($0) }),
    .unary(.roundBFloat16, hasLoopTest: true, nil, { Rounding.bfloat16.rounded($0) }),
    RowFunction(
      .unitFloat, .fromInteger, { bits, _ in Double(UInt32(truncatingIfNeeded: Int64(bits)) >> 8) * 0x1p-24 }, nil,
      nil, hasLoopTest: true),
  ]
}
