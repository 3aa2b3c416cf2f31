import Apus
import ApusTestSupport
import Foundation

extension OpCase {
  static let arithmetic: [OpCase] = [
    .binary("/(integers)", on: -90...90, and: 1...9, dtypes: integers, derivatives: .none, { $0 / $1 }, { $0 / $1 }),
    .binary(
      "power(integers)", on: -2...3, and: 0...4, dtypes: integers, derivatives: .none, { $0.power($1) }, { pow($0, $1) }
    ),
    .binary("hypot", tolerance: .composed(steps: 4), { $0.hypot($1) }, { hypot($0, $1) }),
    .binary("copySign", tolerance: .exact, { $0.copySign($1) }, { copysign($0, $1) }),
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
    comparison("isClose", { $0.isClose(to: $1, relative: 0.4) }, { abs($0 - $1) <= 1e-8 + 0.4 * $1 }),
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
}
