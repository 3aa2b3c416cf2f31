import ApusDevice
import ApusTestSupport
import ApusCSIMD
import Foundation
import Testing

@testable import ApusCPU

/// Compares the loops of rows (operations of `elementwise.def`) with scalar functions, mostly those of `RowFunction`,
/// on all available instruction sets. The suite covers all rows of the integer arithmetic types (lanes), and all rows
/// of `float32` except `exp_difference`, which `FusedRowTests` covers. Of the rows of `float64`, it covers the
/// predicates of one number (such as `isNaN`), `normal`, `tanhGradient`, `sigmoidGradient`, and the functions of one or
/// two numbers that have no separate test here (`RowFunction.hasLoopTest` is false).
@Suite struct RowTests {
  /// The rows of a kind whose floating-point loops have no separate test.
  static func floats(_ kind: RowFunction.Kind) -> [RowFunction] {
    RowFunction.all.filter { $0.kind == kind && $0.numbers != nil && !$0.hasLoopTest }
  }

  /// The loop of one row, callable on arrays.
  struct Row {
    let loop: csimd_loop

    init?(_ name: String, _ lane: Lane, _ simd: String) {
      guard let found = csimd_find(csimd_choose(simd), name, Int32(lane.rawValue)) else { return nil }
      loop = found
    }

    func callAsFunction<A: BitwiseCopyable, R: BitwiseCopyable>(
      _ a: [A], _ b: [A] = [], _ c: [A] = [], as type: R.Type, zero: R
    ) -> [R] {
      var result = [R](repeating: zero, count: a.count)
      a.withUnsafeBytes { a in
        b.withUnsafeBytes { b in
          c.withUnsafeBytes { c in
            let operands = [a, b, c].map { csimd_operand(data: $0.baseAddress, step: 1) }
            result.withUnsafeMutableBytes { loop(a.count / MemoryLayout<A>.stride, $0.baseAddress, operands, nil) }
          }
        }
      }
      return result
    }
  }

  private func find(_ name: String, _ lane: Lane, _ simd: String) throws -> Row {
    try #require(Row(name, lane, simd), "no row \(name) on \(lane)")
  }

  /// Swift reads the costs in `elementwise.def`, which determine the sizes of tasks. While a loop computes a row that
  /// is not cheap (`isCheap`), it prefetches memory.
  @Test func rowsHaveCosts() {
    for row in ElementwiseRow.allCases { #expect((2...100).contains(row.cost), "\(row)") }
    let cheap: [ElementwiseRow] = [.add, .divide, .sqrt, .less, .isNaN, .shiftLeft, .logicalAnd, .roundBFloat16]
    for row in cheap { #expect(row.isCheap, "\(row)") }
    for row in [ElementwiseRow.exp, .tanh, .gelu, .power, .fmod] { #expect(!row.isCheap, "\(row)") }
    #expect(ElementwiseRow.exp.cost < ElementwiseRow.power.cost)
  }

  static let specials: [Float] = [
    0, -0.0, 1, -1, 0.5, -0.5, 2, -2, .infinity, -.infinity, .nan, .leastNonzeroMagnitude,
    -.leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude, -.greatestFiniteMagnitude,
    88.7228, 88.8, -87.33, -103.97, -104, 1.5, 2.5, -1.5, 8_388_608, 16_777_215, 3.14159274, 1e5, 0.9999999,
  ]

  /// Floats over the whole range of exponents and of both signs, `step` bit patterns apart; then the special values.
  static func floats(step: UInt32) -> [Float] {
    stride(from: UInt32(0), to: UInt32.max - step, by: Int(step)).map { Float(bitPattern: $0) } + specials
  }

  /// The error of `value`, in units in the last place (ULP) of the `float32` nearest to `exact`.
  static func ulps(_ value: Float, _ exact: Double) -> Double {
    if exact.isNaN || value.isNaN { return exact.isNaN && value.isNaN ? 0 : .infinity }
    if value == Float(exact) { return exact == 0 && value.sign != exact.sign ? .infinity : 0 }
    guard value.isFinite else { return abs(exact) > 3.402823e38 ? 1 : .infinity }
    guard abs(exact) < 3.4028236e38 else { return .infinity }
    let unit = max(Float(exact).ulp, .leastNonzeroMagnitude)
    return abs(Double(value) - exact) / Double(unit)
  }

  @Test(arguments: floats(.unary), availableSets)
  func floatUnary(_ tested: RowFunction, simd: String) throws {
    let (name, numbers) = (tested.row.name, tested.numbers!)
    let function = { (x: Double) in numbers(x, x) }
    let row = try find(name, .float32, simd)
    let inputs = Self.floats(step: name == "erfinv" ? 400_009 : 80_021)
    let results = row(inputs, as: Float.self, zero: 0)
    var worst = 0.0
    var position = 0
    for index in inputs.indices {
      let error = Self.ulps(results[index], function(Double(inputs[index])))
      if error > worst { (worst, position) = (error, index) }
    }
    #expect(worst <= 2, "\(name)(\(inputs[position])) is \(results[position]), \(worst) ULP off")

    let wide = try find(name, .float64, simd)
    let doubles = inputs.map(Double.init)
    for (x, y) in zip(doubles, wide(doubles, as: Double.self, zero: 0)) {
      let exact = function(x)
      let isClose = abs(y - exact) <= 4e-15 * abs(exact) || y == exact || (y.isNaN && exact.isNaN)
      #expect(isClose, "\(name)(\(x)) is \(y), not \(exact)")
      if !isClose { break }
    }
  }

  /// Pairs of special values. Then pairs of floats with random bits, alternating with pairs of a number in `0...2` and
  /// one in `-160...160`.
  static let pairs: (a: [Float], b: [Float]) = {
    var random = TestNumbers(seed: 71)
    var (a, b): ([Float], [Float]) = ([], [])
    for x in specials { for y in specials { a.append(x); b.append(y) } }
    for _ in 0..<60_000 {
      a.append(Float(bitPattern: UInt32(truncatingIfNeeded: random.bits() >> 20)))
      b.append(Float(bitPattern: UInt32(truncatingIfNeeded: random.bits() >> 20)))
      a.append(Float(random.uniform(0...2)))
      b.append(Float(random.uniform(-160...160)))
    }
    return (a, b)
  }()

  @Test(arguments: floats(.binary), availableSets)
  func floatBinary(_ tested: RowFunction, simd: String) throws {
    let (name, function) = (tested.row.name, tested.numbers!)
    let row = try find(name, .float32, simd)
    let (a, b) = Self.pairs
    for (index, result) in row(a, b, as: Float.self, zero: 0).enumerated() {
      let exact = function(Double(a[index]), Double(b[index]))
      var error = Self.ulps(result, exact)
      // A zero of either sign is a correct minimum or maximum of two zeros.
      if error == .infinity, exact == 0, result == 0, name.hasSuffix("imum") { error = 0 }
      #expect(error <= 2, "\(name)(\(a[index]), \(b[index])) is \(result), not \(exact)")
      if error > 2 { break }
    }
    let wide = try find(name, .float64, simd)
    let (x, y) = (a.map(Double.init), b.map(Double.init))
    for (index, result) in wide(x, y, as: Double.self, zero: 0).enumerated() {
      let exact = function(x[index], y[index])
      #expect(result == exact || (result.isNaN && exact.isNaN))
    }
  }

  /// The row `normal` computes the normal distribution function `Φ(a)`. In `float32` it has two operands: `a`, and
  /// `exp(−a²/2)` rounded to `float32`.
  @Test(arguments: availableSets)
  func normalDistribution(simd: String) throws {
    let a = Self.floats(step: 80_021)
    let g = try find("gaussian", .float32, simd)(a, as: Float.self, zero: 0)
    let results = try find("normal", .float32, simd)(a, g, as: Float.self, zero: 0)
    for index in a.indices {
      let (x, density) = (Double(a[index]), Double(g[index]))
      let tail = abs(x) < 15 ? 0.5 * erfc(abs(x) / 2.0.squareRoot()) * exp(x * x / 2) * density : density
      let exact = x < 0 ? tail : 1 - tail
      let error = Self.ulps(results[index], exact)
      #expect(error <= 2, "normal(\(x), \(density)) is \(results[index]), not \(exact)")
      if error > 2 { break }
    }
    let x = a.map(Double.init)
    let wide = try find("normal", .float64, simd)(x, x, as: Double.self, zero: 0)
    for (x, y) in zip(x, wide) where x > -37 {
      // The effect of the rounding error of x/√2 grows with |x|.
      let exact = 0.5 * erfc(-x / 2.0.squareRoot())
      #expect(abs(y - exact) <= (4e-15 + 4e-16 * min(x * x, 1400)) * exact, "normal(\(x)) is \(y), not \(exact)")
    }
  }

  @Test(arguments: availableSets)
  func floatRemainderAndPredicates(simd: String) throws {
    let (a, b) = Self.pairs
    let remainder = try find("remainder", .float32, simd)
    let quotient = try find("floorDivide", .float32, simd)
    let rests = remainder(a, b, as: Float.self, zero: 0)
    let wholes = quotient(a, b, as: Float.self, zero: 0)
    for index in a.indices where a[index].isFinite && b[index].isFinite && b[index] != 0 {
      let (x, y, r) = (a[index], b[index], rests[index])
      #expect(r == 0 || (r < 0) == (y < 0))
      #expect(abs(r) <= abs(y))
      let ratio = (Double(x) / Double(y)).rounded(.down)
      if abs(ratio) < 1e6 { #expect(abs(Double(wholes[index]) - ratio) <= 1) }
    }
    let (x, y): ([Float], [Float]) = ([-7, 7, -7, 7], [3, -3, -3, 3])
    #expect(remainder(x, y, as: Float.self, zero: 0) == [2, -2, -1, 1])
    #expect(quotient(x, y, as: Float.self, zero: 0) == [-3, -3, 2, 2])
    for tested in Self.floats(.test1) {
      let (name, test) = (tested.row.name, tested.numbers!)
      for (x, y) in zip(a, try find(name, .float32, simd)(a, as: Int32.self, zero: 0)) {
        #expect(y == Int32(test(Double(x), 0)))
      }
      let x = a.map(Double.init)
      for (x, y) in zip(x, try find(name, .float64, simd)(x, as: Int32.self, zero: 0)) {
        #expect(y == Int32(test(x, 0)))
      }
    }
    for tested in Self.floats(.test2) {
      let row = try find(tested.row.name, .float32, simd)
      for (index, y) in row(a, b, as: Int32.self, zero: 0).enumerated() {
        #expect(y == Int32(tested.numbers!(Double(a[index]), Double(b[index]))))
      }
    }
  }

  private func checkIntegers<T: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
    _ lane: Lane, _ simd: String, _ type: T.Type
  ) throws {
    let edges: [T] = [0, 1, -1, 2, -2, 3, 7, -7, 31, 32, 33, 63, 64, T.min, T.max, T.min + 1, 100, -100]
    var random = TestNumbers(seed: 73)
    var (a, b): ([T], [T]) = ([], [])
    for x in edges { for y in edges { a.append(x); b.append(y) } }
    for _ in 0..<3000 {
      a.append(T(truncatingIfNeeded: random.bits() >> (random.bits() % 64)))
      b.append(T(truncatingIfNeeded: random.bits() >> (random.bits() % 64)))
    }
    let table = csimd_choose(simd)!.pointee
    let (rows, count) =
      lane == .int32 ? (table.rows.0!, table.row_count.0) : (table.rows.1!, table.row_count.1)
    for index in 0..<count {
      let name = String(cString: rows[index].name)
      let row = try find(name, lane, simd)
      let tested = try #require(RowFunction.all.first { $0.row.name == name }, "no reference for \(name)")
      let integers = try #require(tested.integers, "no reference for \(name)")
      let expected = zip(a, b).map { integers(Int64($0), Int64($1), T.bitWidth) }
      switch tested.kind {
      case .test1, .test2: #expect(row(a, b, as: Int32.self, zero: 0) == expected.map(Int32.init), "\(name)")
      case .unary: #expect(row(a, as: T.self, zero: 0) == expected.map(T.init(truncatingIfNeeded:)), "\(name)")
      case .binary, .fromInteger:
        #expect(row(a, b, as: T.self, zero: 0) == expected.map(T.init(truncatingIfNeeded:)), "\(name)")
      }
    }
  }

  @Test(arguments: availableSets)
  func integers(simd: String) throws {
    try checkIntegers(.int32, simd, Int32.self)
    try checkIntegers(.int64, simd, Int64.self)
  }

  @Test(arguments: availableSets)
  func storageRounding(simd: String) throws {
    let inputs = Self.floats(step: 30_011) + [65_504, 65_519.9, 65_520, 6.1e-5, 5.9e-8, 2.9e-8, 2.98e-8]
    let half = try find("roundFloat16", .float32, simd)(inputs, as: Float.self, zero: 0)
    let brain = try find("roundBFloat16", .float32, simd)(inputs, as: Float.self, zero: 0)
    for (index, x) in inputs.enumerated() {
      #expect(half[index] == Float(Float16(x)) || x.isNaN && half[index].isNaN)
      #expect(Double(brain[index]) == DType.bfloat16.rounded(Double(x)) || x.isNaN && brain[index].isNaN)
    }
    let bits: [Int32] = [0, 255, 256, -1, Int32.min]
    let units = try find("unitFloat", .float32, simd)(bits, as: Float.self, zero: 0)
    #expect(units == [0, 0, 0x1p-24, 1 - 0x1p-24, 0.5])
  }

  /// The gradients of tanh and of the sigmoid function are computed without contraction to fused multiply-adds: the
  /// results have the bits of the same formula in Swift.
  @Test(arguments: availableSets) func gradientsOfValues(simd: String) throws {
    func check<T: BinaryFloatingPoint & BitwiseCopyable>(_ lane: Lane, _ g: [T], _ y: [T]) throws {
      let (tanh, sigmoid) = (try find("tanhGradient", lane, simd), try find("sigmoidGradient", lane, simd))
      let (found, foundSigmoid) = (tanh(g, y, as: T.self, zero: 0), sigmoid(g, y, as: T.self, zero: 0))
      for index in g.indices {
        let (g, y) = (g[index], y[index])
        let (expected, expectedSigmoid) = (g * (1 - y * y), g * (y * (1 - y)))
        #expect(found[index] == expected || found[index].isNaN && expected.isNaN, "tanh: \(g), \(y)")
        #expect(
          foundSigmoid[index] == expectedSigmoid || foundSigmoid[index].isNaN && expectedSigmoid.isNaN,
          "sigmoid: \(g), \(y)")
      }
    }
    let (a, b) = Self.pairs
    try check(.float32, a, b)
    try check(.float64, a.map(Double.init), b.map(Double.init))
  }

  /// The row `gelu` gives the same numbers as the rows `gaussian`, `normal` and `multiply` one after the other. (The
  /// sign of a zero is not compared.)
  @Test(arguments: availableSets) func gelu(simd: String) throws {
    let a = Self.floats(step: 80_021)
    let g = try find("gaussian", .float32, simd)(a, as: Float.self, zero: 0)
    let normal = try find("normal", .float32, simd)(a, g, as: Float.self, zero: 0)
    let product = try find("multiply", .float32, simd)(a, normal, as: Float.self, zero: 0)
    let found = try find("gelu", .float32, simd)(a, as: Float.self, zero: 0)
    #expect(zip(found, product).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN })
    for (x, y) in zip(a.map(Double.init), found) where abs(x) < 1e18 {
      let exact = 0.5 * x * erfc(-x / 2.0.squareRoot())
      #expect(abs(Double(y) - exact) <= 6e-7 * abs(exact) + 1e-37, "gelu(\(x)) is \(y), not \(exact)")
    }
  }

  /// The fused rows `multiply_add` and `subtract_product` give the same numbers as `multiply` followed by `add` or
  /// `subtract`. (The sign of a zero is not compared.)
  @Test(arguments: availableSets) func productsInSums(simd: String) throws {
    let a = Self.floats(step: 80_021)
    let (b, c) = (Array(a.reversed()), a.map { $0 / 3 + 1 })
    let product = try find("multiply", .float32, simd)(a, b, as: Float.self, zero: 0)
    let rows = [("multiply_add", "add", (product, c)), ("subtract_product", "subtract", (c, product))]
    for (name, function, operands) in rows {
      let expected = try find(function, .float32, simd)(operands.0, operands.1, as: Float.self, zero: 0)
      let found = try find(name, .float32, simd)(a, b, c, as: Float.self, zero: 0)
      #expect(zip(found, expected).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN }, "\(name)")
    }
  }

  /// Every row has an entry in `RowFunction.all`, with a `Double` reference function if the row has floating-point
  /// loops. The fused rows need none: `FusedRowTests` checks `exp_difference`, and `productsInSums` checks the others.
  /// The test `integers` requires a reference function for each integer row.
  @Test func everyRowHasAReference() {
    for row in ElementwiseRow.allCases { #expect(RowFunction.of(row) != nil, "\(row) has no reference") }
    let table = csimd_choose(nil)!.pointee
    let fused: Set = ["exp_difference", "multiply_add", "subtract_product"]
    for index in 0..<table.row_count.2 {
      let name = String(cString: table.rows.2![index].name)
      let isKnown = RowFunction.all.contains { $0.row.name == name && $0.numbers != nil } || fused.contains(name)
      #expect(isKnown, "\(name) has no reference")
    }
  }

  /// `hasLoopTest` is true for exactly those rows whose floating-point loops have a separate test in this suite.
  @Test func separateTestsOfLoops() {
    let rows = RowFunction.all.filter(\.hasLoopTest).map(\.row)
    let tested: Set<ElementwiseRow> = [
      .remainder, .floorDivide, .normal, .gelu, .tanhGradient, .sigmoidGradient, .roundFloat16, .roundBFloat16,
      .unitFloat,
    ]
    #expect(Set(rows) == tested)
  }

  /// The tables of loops have exactly the rows of `ElementwiseRow` and the fused rows. `csimd_find_reducer` finds
  /// the loops of all reductions (`ReductionRow`) and of the fused sums (`FusedSum`).
  @Test func enumerationsNameTheRowsOfTheTables() {
    let loops = csimd_choose(nil)!
    let table = loops.pointee
    let rows = [(table.rows.0!, table.row_count.0), (table.rows.2!, table.row_count.2)]
    let names = Set(rows.flatMap { rows, count in (0..<count).map { String(cString: rows[$0].name) } })
    let fused: [FusedRow] = [.expDifference, .multiplyAdd, .subtractProduct]
    #expect(names == Set(ElementwiseRow.allCases.map(\.name) + fused.map(\.rawValue)))
    let sums: [FusedSum] = [.difference, .squaredDifference, .expDifference]
    for (name, lane) in ReductionRow.allCases.map({ ($0.name, $0 == .any || $0 == .all ? Lane.int32 : .float32) })
      + sums.map({ ($0.rawValue, .float32) })
    {
      #expect(csimd_find_reducer(loops, name, Int32(lane.rawValue)) != nil, "\(name)")
    }
  }

  @Test(.enabled(if: Set(["avx2", "avx512"]).isSubset(of: availableSets), "this processor lacks AVX2 or AVX-512"))
  func vectorsAgreeBetweenInstructionSetsWithFMA() throws {
    let inputs = Self.floats(step: 50_021)
    for name in Self.floats(.unary).map(\.row.name) {
      let first = try find(name, .float32, "avx512")(inputs, as: UInt32.self, zero: 0)
      let second = try find(name, .float32, "avx2")(inputs, as: UInt32.self, zero: 0)
      let isEqual = zip(first, second).allSatisfy {
        $0 == $1 || (Float(bitPattern: $0).isNaN && Float(bitPattern: $1).isNaN)
      }
      #expect(isEqual, "\(name)")
    }
  }
}
