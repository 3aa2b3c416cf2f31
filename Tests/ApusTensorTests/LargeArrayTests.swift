import Apus
import ApusTestSupport
import Testing

/// Steps on arrays larger than the caches use other loads and stores than steps on small arrays, with the same results.
@Suite struct LargeArrayTests {
  private static let rows = 6001
  private static let columns = 2052

  private func numbers() -> [Float] {
    (0..<Self.rows * Self.columns).map { Float(($0 &* 7919) % 2003) / 256 - 4 }
  }

  private func matrix(_ numbers: [Float]) throws -> Tensor {
    let device = try #require(TestDevice.all.first { $0.name == "cpu" }).device
    return try eval(Tensor(numbers, device: device).reshaped(to: [Self.rows, Self.columns]))
  }

  @Test func elementwise() throws {
    let values = numbers()
    let x = try matrix(values)
    #expect(try (x * x + x).array() == values.map { $0 * $0 + $0 })
    let halves = try eval(x.cast(to: .float16))
    #expect(try halves.cast(to: .float32).array() == values.map { Float(Float16($0)) })
    let squares = try eval(x * x)
    let isLess = try eval(x .< squares)
    #expect(try isLess.cast(to: .float32).array() == values.map { $0 < $0 * $0 ? 1 : 0 })
  }

  @Test func copies() throws {
    let values = numbers()
    let x = try matrix(values)
    #expect(try Tensor.concatenated([x[0..<5], x[5..<Self.rows]]).array() == values)
    let expected = (0..<values.count).map { values[$0 % Self.rows * Self.columns + $0 / Self.rows] }
    #expect(try x.transposed().reshaped(to: [values.count]).array() == expected)
    #expect(try (x.transposed() * 2 + 1).array() == expected.map { $0 * 2 + 1 })
  }

  /// The shapes have long and short rows, rows that all begin at a cache line and rows that do not, and axes of few
  /// elements.
  @Test(
    arguments: [
      [4, 3025, 100], [3, 100, 5003], [5, 100_003, 3], [2, 5, 200_003], [1, 1040, 2055], [2, 48, 30_001],
      [2, 90_000, 17],
    ] as [Shape])
  func transposes(shape: Shape) throws {
    let count = shape.elementCount
    let x = try eval(matrix(numbers()).reshaped(to: [Self.rows * Self.columns])[0..<count].reshaped(to: shape))
    let values = try x.array() as [Float]
    let (rows, columns) = (shape[1], shape[2])
    let expected = (0..<count).map { index in
      let (matrix, place) = index.quotientAndRemainder(dividingBy: rows * columns)
      return values[matrix * rows * columns + place % rows * columns + place / rows]
    }
    #expect(try x.transposed([0, 2, 1]).reshaped(to: [count]).array() == expected)
  }

  /// A transpose whose result becomes the first columns of a larger array.
  @Test func transposesIntoColumns() throws {
    let (rows, columns, rest) = (1030, 1100, 10)
    let x = try matrix(numbers()).reshaped(to: [Self.rows * Self.columns])
    let source = try eval(x[0..<rows * columns].reshaped(to: [rows, columns]))
    let other = try eval(x[0..<columns * rest].reshaped(to: [columns, rest]))
    let whole = try Tensor.concatenated([source.transposed(), other], axis: 1).array() as [Float]
    let (values, others) = (try source.array() as [Float], try other.array() as [Float])
    for row in 0..<columns {
      let line = whole[row * (rows + rest)..<(row + 1) * (rows + rest)]
      let expected = (0..<rows).map { values[$0 * columns + row] } + others[row * rest..<(row + 1) * rest]
      #expect(line.elementsEqual(expected), "row \(row)")
    }
  }

  /// A sum adds its terms in the same order, whether the terms are read from memory or computed by elementwise
  /// operations that are fused into the sum.
  @Test(
    arguments: [([3, 40_000], [1]), ([100, 300], [0, 1]), ([30_000, 40], [0]), ([9, 700, 8], [0, 1])]
      as [(Shape, [Int])])
  func sumsDoNotDependOnStoredTerms(shape: Shape, axes: [Int]) throws {
    let x = try eval(
      matrix(numbers()).reshaped(to: [Self.rows * Self.columns])[0..<shape.elementCount].reshaped(to: shape))
    let row = try eval(x[0..<1])
    for body in [{ $0 * 1.5 }, { ($0 * 0.3 + 0.1).exp() }, { ($0 * row - $0).tanh() }] as [(Tensor) -> Tensor] {
      let stored = try eval(body(x))
      #expect(try body(x).sum(axes: axes).array() == stored.sum(axes: axes).array())
    }
  }

  /// The steps of a softmax, a normalization and a `logSumExp` run together on blocks of rows. They give the same
  /// values as the same operations evaluated one by one.
  @Test(arguments: [[6001, 2052], [257, 300], [3, 5, 70], [2, 9], [1, 100], [100, 1]] as [Shape])
  func rows(shape: Shape) throws {
    let x = try eval(
      matrix(numbers()).reshaped(to: [Self.rows * Self.columns])[0..<shape.elementCount].reshaped(to: shape))
    let axis = shape.rank - 1
    let peak = try eval(x.max(axis: axis, keepingAxes: true))
    let numerator = try eval((x - peak).exp())
    let sum = try eval(numerator.sum(axis: axis, keepingAxes: true))
    #expect(try x.softmax().array() == (numerator * sum.reciprocal()).array())
    let mean = try eval(x.mean(axis: axis, keepingAxes: true))
    let centered = try eval(x - mean)
    let variance = try eval(centered.squared().mean(axis: axis, keepingAxes: true))
    let whole = x - x.mean(axis: axis, keepingAxes: true)
    let normal = whole * (whole.squared().mean(axis: axis, keepingAxes: true) + 1e-5).rsqrt()
    #expect(try normal.array() == (centered * (variance + 1e-5).rsqrt()).array())
    let logarithm = try eval(sum.log() + peak)
    #expect(try x.logSumExp(axis: axis, keepingAxes: true).array() == logarithm.array())
  }
}
