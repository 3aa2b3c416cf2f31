import Apus
import ApusDevice
import Testing

/// A row (formula) of `Kernels/elementwise.def` in tests: a Swift function that computes the expected values, and the
/// test case of the operation that consists of this row alone.
///
/// `OpCaseTests` runs the cases of the table `all` on every device, the reference device computes with the table, and
/// `RowTests` compares the loops of every instruction set with the table. `RowTests` fails if a row has no entry.
public final class RowFunction: Sendable, CustomTestStringConvertible {
  /// The kinds of rows, as `elementwise.def` defines them.
  public enum Kind: Sendable { case unary, binary, test1, test2, fromInteger }
  /// The value in `Double`; a function of one number ignores the second argument.
  public typealias Numbers = @Sendable (Double, Double) -> Double
  /// The value for integers of `bits` bits, before higher bits are dropped.
  public typealias Integers = @Sendable (_ a: Int64, _ b: Int64, _ bits: Int) -> Int64

  public let row: ElementwiseRow
  public let kind: Kind
  /// The value of a row with floating-point results, or of a predicate of floating-point numbers (1 or 0); `nil` if the
  /// row exists for integers alone.
  public let numbers: Numbers?
  /// The value for integers; `nil` if the row exists for floating-point numbers alone.
  public let integers: Integers?
  /// The case of the operation; `nil` if no operation consists of this row alone.
  public let operation: OpCase?
  /// Cases of the operation with special inputs and their expected results.
  public let special: [SpecialCase]
  /// Whether `RowTests` has a separate test for the floating-point loops. The loops of all other rows are compared with
  /// `numbers` over the whole range of numbers.
  public let hasLoopTest: Bool

  public var testDescription: String { row.name }

  init(
    _ row: ElementwiseRow, _ kind: Kind, _ numbers: Numbers?, _ integers: Integers?, _ operation: OpCase?,
    _ special: [SpecialCase] = [], hasLoopTest: Bool = false
  ) {
    (self.row, self.kind, self.numbers, self.integers) = (row, kind, numbers, integers)
    (self.operation, self.special, self.hasLoopTest) = (operation, special, hasLoopTest)
  }

  /// The entries of the table, indexed by the raw values of the rows.
  private static let byRow: [RowFunction?] = {
    let entries = Dictionary(uniqueKeysWithValues: all.map { ($0.row, $0) })
    return ElementwiseRow.allCases.map { entries[$0] }
  }()

  /// The entry of a row; `nil` if the table has none.
  public static func of(_ row: ElementwiseRow) -> RowFunction? { byRow[Int(row.rawValue)] }

  /// The value for operands of an arithmetic type (lane), before it is rounded or wrapped.
  func value(of operands: [Scalar], in lane: Lane) -> Scalar {
    let (a, b) = (operands[0], operands[operands.count - 1])
    if lane.isFloatingPoint || kind == .fromInteger {
      guard let numbers else { fatalError("no row \(row) for floating-point numbers") }
      let value = numbers(a.double, b.double)
      return kind == .test1 || kind == .test2 ? .integer(Int64(value)) : .float(value)
    }
    guard let integers else { fatalError("no row \(row) for integers") }
    return .integer(integers(a.integer, b.integer, lane == .int32 ? 32 : 64))
  }
}

// MARK: - Entries

extension RowFunction {
  /// A function of one number. A row for integers alone has no `numbers`.
  public static func unary(
    _ row: ElementwiseRow, named name: String? = nil, on range: ClosedRange<Double> = -2...2,
    dtypes: [DType] = OpCase.floats, tolerance: Tolerance = .elementwise, derivatives: OpCase.Derivatives = .second,
    hasLoopTest: Bool = false, _ apply: (@Sendable (Tensor) -> Tensor)?, _ numbers: (@Sendable (Double) -> Double)?,
    integers: (@Sendable (Int64) -> Int64)? = nil, special: [SpecialCase] = []
  ) -> RowFunction {
    let reference = numbers ?? { Double(integers!(Int64($0.rounded(.toNearestOrEven)))) }
    var (numbersOfTwo, integersOfTwo, operation): (Numbers?, Integers?, OpCase?)
    if let numbers { numbersOfTwo = { a, _ in numbers(a) } }
    if let integers { integersOfTwo = { a, _, _ in integers(a) } }
    if let apply {
      operation = .unary(
        name ?? row.name, on: range, dtypes: dtypes, tolerance: tolerance, derivatives: derivatives, apply, reference)
    }
    return RowFunction(row, .unary, numbersOfTwo, integersOfTwo, operation, special, hasLoopTest: hasLoopTest)
  }

  /// A function of two numbers.
  public static func binary(
    _ row: ElementwiseRow, named name: String? = nil, on left: ClosedRange<Double> = -2...2,
    and right: ClosedRange<Double> = -2...2, dtypes: [DType] = OpCase.floats, tolerance: Tolerance = .elementwise,
    derivatives: OpCase.Derivatives = .second, hasLoopTest: Bool = false,
    _ apply: (@Sendable (Tensor, Tensor) -> Tensor)?, _ numbers: @escaping Numbers,
    integers: (@Sendable (Int64, Int64) -> Int64)? = nil, special: [SpecialCase] = []
  ) -> RowFunction {
    var (integersOfLane, operation): (Integers?, OpCase?)
    if let integers { integersOfLane = { a, b, _ in integers(a, b) } }
    if let apply {
      operation = .binary(
        name ?? row.name, on: left, and: right, dtypes: dtypes, tolerance: tolerance, derivatives: derivatives, apply,
        numbers)
    }
    return RowFunction(row, .binary, numbers, integersOfLane, operation, special, hasLoopTest: hasLoopTest)
  }

  /// A function of the bits of two integers: `integers`, which also gets their width in bits.
  static func bits(
    _ row: ElementwiseRow, named name: String? = nil, _ apply: @escaping @Sendable (Tensor, Tensor) -> Tensor,
    _ integers: @escaping Integers
  ) -> RowFunction {
    RowFunction(
      row, .binary, nil, integers,
      .binary(
        name ?? row.name, on: 0...7, and: 0...3, dtypes: OpCase.integers, tolerance: .exact, derivatives: .none, apply
      ) { Double(integers(Int64($0), Int64($1), 64)) })
  }

  /// A function of two truth values, which are integers: every integer but 0 is true.
  static func logical(
    _ row: ElementwiseRow, _ apply: @escaping @Sendable (Tensor, Tensor) -> Tensor,
    _ function: @escaping @Sendable (Bool, Bool) -> Bool
  ) -> RowFunction {
    RowFunction(
      row, .binary, nil, { a, b, _ in function(a != 0, b != 0) ? 1 : 0 },
      .comparison(row.name, apply) { function($0 != 0, $1 != 0) })
  }

  /// A predicate of one number. The test case applies it to `1 / √x` for `x` = −1, 0 and 1: to NaN, infinities and 1.
  static func test(
    _ row: ElementwiseRow, _ apply: @escaping @Sendable (Tensor) -> Tensor,
    _ function: @escaping @Sendable (Double) -> Bool
  ) -> RowFunction {
    RowFunction(
      row, .test1, { a, _ in function(a) ? 1 : 0 }, nil,
      .unary(row.name, on: -1...1, tolerance: .exact, derivatives: .none) {
        apply($0.rounded().rsqrt())
      } _: {
        function(1 / $0.rounded(.toNearestOrEven).squareRoot()) ? 1 : 0
      })
  }

  /// A comparison of two numbers.
  static func comparison(
    _ row: ElementwiseRow, named name: String, _ apply: @escaping @Sendable (Tensor, Tensor) -> Tensor,
    _ function: @escaping @Sendable (Double, Double) -> Bool, special: [SpecialCase] = []
  ) -> RowFunction {
    RowFunction(
      row, .test2, { function($0, $1) ? 1 : 0 },
      // `Double` cannot represent large integers exactly. So `function` gets two numbers, each 0 or 1, that compare
      // like `a` and `b`.
      { a, b, _ in function(a > b ? 1 : 0, b > a ? 1 : 0) ? 1 : 0 },
      .comparison(name, apply, function), special)
  }
}
