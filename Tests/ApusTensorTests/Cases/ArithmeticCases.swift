import Apus
import ApusTestSupport
import Foundation

extension OpCase {
  /// Shapes of two inputs: equal, broadcast in both directions, a scalar, no elements, and one element.
  static let binaryShapes: [[Shape]] = [
    [[3, 4], [3, 4]], [[5, 1, 3], [4, 1]], [[], [7]], [[37, 9], [9]], [[0, 3], [1, 3]], [[1], [1, 1]],
  ]

  /// An elementwise function of two inputs, with broadcasting.
  static func binary(
    _ name: String, on left: ClosedRange<Double> = -2...2, and right: ClosedRange<Double> = -2...2,
    dtypes: [DType] = floats, tolerance: Tolerance = .elementwise, derivatives: Derivatives = .second,
    _ apply: @escaping @Sendable (Tensor, Tensor) -> Tensor,
    _ function: @escaping @Sendable (Double, Double) -> Double
  ) -> OpCase {
    OpCase(
      name, inputs: [.numbers(left), .numbers(right)], shapes: binaryShapes, dtypes: dtypes,
      tolerance: tolerance, derivatives: derivatives, apply: { apply($0[0], $0[1]) },
      reference: { Grid.combined($0) { function($0[0], $0[1]) } })
  }

  /// A comparison with `bool` results. Inputs are rounded, so that some are equal.
  private static func comparison(
    _ name: String, _ apply: @escaping @Sendable (Tensor, Tensor) -> Tensor,
    _ function: @escaping @Sendable (Double, Double) -> Bool
  ) -> OpCase {
    .binary(name, on: 0...3, and: 0...3, dtypes: numbers, tolerance: .exact, derivatives: .none) {
      apply($0.rounded(), $1.rounded())
    } _: {
      function($0.rounded(.toNearestOrEven), $1.rounded(.toNearestOrEven)) ? 1 : 0
    }
  }

  static let arithmetic: [OpCase] = [
    .binary("+", dtypes: numbers, { $0 + $1 }, { $0 + $1 }),
    .binary("-(of two)", on: -2...2, and: -2...0, dtypes: floats + [.int64, .int32, .int8], { $0 - $1 }, { $0 - $1 }),
    .binary("*", on: -9...9, and: -9...9, dtypes: numbers, { $0 * $1 }, { $0 * $1 }),
    .binary("/", on: -2...2, and: 0.5...4, { $0 / $1 }, { $0 / $1 }),
    .binary("/(integers)", on: -90...90, and: 1...9, dtypes: integers, derivatives: .none, { $0 / $1 }, { $0 / $1 }),
    .binary("power", on: 0.1...3, and: -2...2, { $0.power($1) }, { pow($0, $1) }),
    .binary(
      "power(integers)", on: -2...3, and: 0...4, dtypes: integers, derivatives: .none, { $0.power($1) }, { pow($0, $1) }
    ),
    .binary("minimum", dtypes: numbers, tolerance: .exact, { $0.minimum($1) }, { min($0, $1) }),
    .binary("maximum", dtypes: numbers, tolerance: .exact, { $0.maximum($1) }, { max($0, $1) }),
    .binary("atan2", { $0.atan2($1) }, { atan2($0, $1) }),
    .binary("hypot", tolerance: .composed(steps: 4), { $0.hypot($1) }, { hypot($0, $1) }),
    .binary("copySign", tolerance: .exact, { $0.copySign($1) }, { copysign($0, $1) }),
    .binary(
      "remainder", on: -9...9, and: 1...4, dtypes: numbers, { $0.remainder($1) },
      { fmod($0, $1) < 0 ? fmod($0, $1) + $1 : fmod($0, $1) }),
    .binary("fmod", on: -9...9, and: 1...4, dtypes: numbers, { $0.fmod($1) }, { fmod($0, $1) }),
    .binary(
      "floorDivided", on: -9...9, and: 1...4, dtypes: numbers, tolerance: .exact, { $0.floorDivided(by: $1) },
      { ($0 / $1).rounded(.down) }),
    .unary(
      "clamped", on: -3...3, dtypes: floats, tolerance: .exact, { $0.clamped(lower: -1, upper: 1.5) },
      { min(max($0, -1), 1.5) }),
    .unary(
      "clamped(integers)", on: -9...9, dtypes: integers, tolerance: .exact, derivatives: .none,
      { $0.clamped(lower: -300, upper: 5) }, { min($0, 5) }),
    .unary("+(number)", dtypes: numbers, { $0 + 3 }, { $0 + 3 }),
    .unary("*(number)", on: -9...9, dtypes: floats, { 2 * $0 * 0.5 }, { $0 }),
    .unary(
      "-(number)", on: -2...2, dtypes: floats, tolerance: .composed(steps: 2, scale: 3), { 3 - ($0 - 1) }, { 4 - $0 }),
    .unary("/(number)", on: 0.5...2, dtypes: floats, { 1 / $0 / 2 }, { 0.5 / $0 }),
    .unary("power(number)", on: 0.1...3, { $0.power(3) }, { $0 * $0 * $0 }),
    .binary(
      "logAddExp", on: -9...9, and: -9...9, tolerance: .composed(steps: 4, scale: 2), { $0.logAddExp($1) },
      { max($0, $1) + log1p(exp(-abs($0 - $1))) }),
    OpCase(
      "lerp", inputs: Array(repeating: .numbers(-2...2), count: 3),
      shapes: [[[3, 4], [4], [3, 1]], [[0], [1], [0]]],
      tolerance: .composed(steps: 4, scale: 8), apply: { $0[0].lerp(to: $0[1], $0[2]) },
      reference: { Grid.combined($0) { $0[0] + $0[2] * ($0[1] - $0[0]) } }),
  ]

  static let comparisons: [OpCase] = [
    comparison(".==", { $0 .== $1 }, { $0 == $1 }),
    comparison(".!=", { $0 .!= $1 }, { $0 != $1 }),
    comparison(".<", { $0 .< $1 }, { $0 < $1 }),
    comparison(".<=", { $0 .<= $1 }, { $0 <= $1 }),
    comparison(".>", { $0 .> $1 }, { $0 > $1 }),
    comparison(".>=", { $0 .>= $1 }, { $0 >= $1 }),
    comparison("logicalAnd", { $0.logicalAnd($1) }, { $0 != 0 && $1 != 0 }),
    comparison("logicalOr", { $0.logicalOr($1) }, { $0 != 0 || $1 != 0 }),
    comparison("logicalXor", { $0.logicalXor($1) }, { ($0 != 0) != ($1 != 0) }),
    .unary(
      "logicalNot", on: 0...1, dtypes: numbers, tolerance: .exact, derivatives: .none, { $0.rounded().logicalNot() },
      { $0.rounded(.toNearestOrEven) == 0 ? 1 : 0 }),
    comparison("isClose", { $0.isClose(to: $1, relative: 0.4) }, { abs($0 - $1) <= 1e-8 + 0.4 * $1 }),
    .unary("isNaN", on: -1...1, tolerance: .exact, derivatives: .none, { $0.log().isNaN() }, { $0 < 0 ? 1 : 0 }),
    .unary("isFinite", on: -1...1, tolerance: .exact, derivatives: .none, { $0.log().isFinite() }, { $0 > 0 ? 1 : 0 }),
    .unary(
      "isInfinite", on: -1...1, tolerance: .exact, derivatives: .none, { ($0.sign() / 0).isInfinite() },
      { $0 == 0 ? 0 : 1 }),
    bits("bitAnd", { $0.bitAnd($1) }, { $0 & $1 }),
    bits("bitOr", { $0.bitOr($1) }, { $0 | $1 }),
    bits("bitXor", { $0.bitXor($1) }, { $0 ^ $1 }),
    bits("shiftedLeft", { $0.shiftedLeft(by: $1) }, { $0 << $1 }),
    bits("shiftedRight", { $0.shiftedRight(by: $1) }, { $0 >> $1 }),
    .unary(
      "bitNot", on: 0...60, dtypes: [.int64, .int32, .int8], tolerance: .exact, derivatives: .none, { $0.bitNot() },
      { -$0 - 1 }),
    OpCase(
      "select", inputs: [.truth, .numbers(-2...2), .numbers(-2...2)],
      shapes: [[[3, 4], [3, 4], [4]], [[5, 1], [], [1, 6]], [[0], [1], [1]]], dtypes: numbers, tolerance: .exact,
      apply: { $0[0].select($0[1], $0[2]) }, reference: { Grid.combined($0) { $0[0] != 0 ? $0[1] : $0[2] } }),
    .unary("cast", on: -100...100, dtypes: numbers, tolerance: .exact, { $0.cast(to: .float64) }, { $0 }),
    .unary(
      "cast(to integers)", on: -9...9, dtypes: floats, tolerance: .exact, derivatives: .none, { $0.cast(to: .int32) },
      { $0.rounded(.towardZero) }),
    .unary(
      "cast(wrapping)", on: -300...300, dtypes: [.int64, .int32], tolerance: .exact, derivatives: .none,
      { $0.cast(to: .uint8) }, { Double(UInt8(truncatingIfNeeded: Int($0))) }),
    .unary(
      "cast(to bool)", on: -1.4...1.4, dtypes: numbers, tolerance: .exact, derivatives: .none, { $0.cast(to: .bool) },
      { $0 == 0 ? 0 : 1 }),
  ]

  private static func bits(
    _ name: String, _ apply: @escaping @Sendable (Tensor, Tensor) -> Tensor,
    _ function: @escaping @Sendable (Int, Int) -> Int
  ) -> OpCase {
    .binary(name, on: 0...7, and: 0...3, dtypes: integers, tolerance: .exact, derivatives: .none, apply) {
      Double(function(Int($0), Int($1)))
    }
  }
}
