import Apus
import ApusDevice
import Foundation
import Testing

/// A function of one number: its row of `Kernels/elementwise.def`, its method and its value in `Double`.
/// `OpCase.elementwise` makes the cases of operations from this table, the interpreter computes with the table, and
/// `RowTests` tests the loops of every instruction set against the table. A new function is one entry of this table.
public struct UnaryFunction: Sendable, CustomTestStringConvertible {
  public let row: ElementwiseRow
  /// The value in `Double`.
  public let reference: @Sendable (Double) -> Double
  /// The case of the operation; `nil` if no operation consists of this row alone.
  public let operation: OpCase?

  public var testDescription: String { row.name }

  public init(
    _ row: ElementwiseRow, named name: String? = nil, on range: ClosedRange<Double> = -2...2,
    dtypes: [DType] = OpCase.floats, tolerance: Tolerance = .elementwise,
    _ apply: (@Sendable (Tensor) -> Tensor)?, _ reference: @escaping @Sendable (Double) -> Double
  ) {
    (self.row, self.reference) = (row, reference)
    operation = apply.map { apply in
      OpCase(
        name ?? row.name, inputs: [.numbers(range)], shapes: OpCase.unaryShapes, dtypes: dtypes, tolerance: tolerance,
        apply: { apply($0[0]) }, reference: { $0[0].map(reference) })
    }
  }

  /// The function of a row, by its name.
  public static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.row.name, $0) })

  public static let all: [UnaryFunction] = [
    .init(.exp, on: -10...10, { $0.exp() }, { exp($0) }),
    .init(.exp2, on: -10...10, { $0.exp2() }, { exp2($0) }),
    .init(.expm1, { $0.expm1() }, { expm1($0) }),
    .init(.log, on: 0.01...20, { $0.log() }, { log($0) }),
    .init(.log2, on: 0.01...20, { $0.log2() }, { log2($0) }),
    .init(.log10, on: 0.01...20, { $0.log10() }, { log10($0) }),
    .init(.log1p, on: -0.9...3, { $0.log1p() }, { log1p($0) }),
    .init(.sqrt, on: 0.01...20, { $0.sqrt() }, { $0.squareRoot() }),
    .init(.rsqrt, on: 0.05...20, { $0.rsqrt() }, { 1 / $0.squareRoot() }),
    .init(.reciprocal, on: 0.1...5, { $0.reciprocal() }, { 1 / $0 }),
    .init(.sin, on: -6...6, { $0.sin() }, { sin($0) }),
    .init(.cos, on: -6...6, { $0.cos() }, { cos($0) }),
    .init(.tan, on: -1.4...1.4, { $0.tan() }, { tan($0) }),
    .init(.asin, on: -0.9...0.9, { $0.asin() }, { asin($0) }),
    .init(.acos, on: -0.9...0.9, { $0.acos() }, { acos($0) }),
    .init(.atan, on: -4...4, { $0.atan() }, { atan($0) }),
    .init(.sinh, on: -4...4, { $0.sinh() }, { sinh($0) }),
    .init(.cosh, on: -4...4, { $0.cosh() }, { cosh($0) }),
    .init(.tanh, on: -4...4, { $0.tanh() }, { tanh($0) }),
    .init(.asinh, on: -4...4, { $0.asinh() }, { asinh($0) }),
    .init(.acosh, on: 1.2...9, { $0.acosh() }, { acosh($0) }),
    .init(.atanh, on: -0.9...0.9, { $0.atanh() }, { atanh($0) }),
    .init(.erf, on: -3...3, { $0.erf() }, { erf($0) }),
    .init(.erfc, on: -3...3, { $0.erfc() }, { erfc($0) }),
    .init(.erfinv, on: -0.95...0.95, { $0.erfinv() }, { Reference.inverseErrorFunction($0) }),
    .init(.sigmoid, on: -8...8, { $0.sigmoid() }, { $0 < 0 ? exp($0) / (1 + exp($0)) : 1 / (1 + exp(-$0)) }),
    .init(.negate, named: "-", dtypes: OpCase.floats + [.int64, .int32, .int8], tolerance: .exact, { -$0 }, { -$0 }),
    .init(.absolute, named: "abs", dtypes: OpCase.numbers, tolerance: .exact, { $0.abs() }, { abs($0) }),
    .init(
      .sign, on: -3...3, dtypes: OpCase.numbers, tolerance: .exact, { $0.sign() }, { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 }),
    .init(.floor, on: -9...9, dtypes: OpCase.numbers, tolerance: .exact, { $0.floor() }, { $0.rounded(.down) }),
    .init(.ceil, on: -9...9, dtypes: OpCase.numbers, tolerance: .exact, { $0.ceil() }, { $0.rounded(.up) }),
    .init(
      .round, named: "rounded", on: -9...9, dtypes: OpCase.numbers, tolerance: .exact, { $0.rounded() },
      { $0.rounded(.toNearestOrEven) }),
    .init(
      .truncate, named: "truncated", on: -9...9, dtypes: OpCase.numbers, tolerance: .exact, { $0.truncated() },
      { $0.rounded(.towardZero) }),
    .init(.gaussian, nil, { exp(-$0 * $0 / 2) }),
  ]
}
