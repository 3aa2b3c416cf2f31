import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusCPU

@Suite struct CopyTests {
  /// A copy fills its result with 1, then writes two rows of three elements at offset 6 with row stride 5.
  @Test func copyFillsAndPlaces() throws {
    for dtype in [DType.float32, .float16, .bool, .int64] {
      var builder = PlanBuilder()
      let a = builder.input([1, 0, 1, 1, 0, 1], dtype)
      let r = builder.output(20, dtype)
      let piece = StridedCopy.Piece(
        source: Operand(value: a, layout: Layout(contiguous: [2, 3])),
        destination: Layout(shape: [2, 3], strides: [5, 1], offset: 6))
      builder.step(.copy(StridedCopy(dtype: dtype, fill: .integer(1), pieces: [piece], result: r)))
      #expect(
        try builder.run(on: cpu())[0] == [1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1])
    }
  }

  @Test(arguments: [DType.uint8, .float16, .float32, .int64])
  func copiesExchangeAxes(dtype: DType) throws {
    for (shape, order): (Shape, [Int]) in [
      ([70, 90], [1, 0]), ([3, 33, 50], [0, 2, 1]), ([4, 5, 6, 7], [3, 1, 0, 2]), ([2, 300, 3, 40], [0, 2, 1, 3]),
      ([3, 5], [1, 0]), ([40, 50, 60], [2, 0, 1]), ([1, 200_000], [0, 1]),
    ] {
      var random = TestNumbers(seed: 49)
      let numbers = random.integers(shape.elementCount, 0...99)
      var builder = PlanBuilder()
      let source = builder.input(numbers, dtype)
      // A gap after each row of the result reveals writes beyond the row.
      let layout = Layout(contiguous: shape).transposed(order)
      let width = layout.shape[layout.shape.rank - 1]
      var target = Layout(contiguous: layout.shape)
      for axis in 0..<(target.shape.rank - 1) { target.strides[axis] = target.strides[axis] / width * (width + 2) }
      let result = builder.output(shape.elementCount / width * (width + 2), dtype)
      let piece = StridedCopy.Piece(source: Operand(value: source, layout: layout), destination: target)
      builder.step(.copy(StridedCopy(dtype: dtype, fill: .integer(7), pieces: [piece], result: result)))
      var expected = [Double](repeating: 7, count: shape.elementCount / width * (width + 2))
      for (from, to) in zip(layout.positions, target.positions) { expected[to] = numbers[from] }
      #expect(try builder.run(on: cpu())[0].elementsEqual(expected))
    }
  }

  /// Transposes whose results are large enough for non-temporal stores, with whole tiles and with partial tiles at the
  /// edges. The row stride of the result may exceed the length of a row.
  @Test(arguments: availableSets, [(1100, 1030, 1040), (600, 4130, 4144), (9, 150_000, 150_000)])
  func largeCopiesExchangeAxes(simd: String, size: (rows: Int, columns: Int, width: Int)) throws {
    let (rows, columns, width) = size
    var random = TestNumbers(seed: 50)
    let numbers = random.integers(rows * columns, 0...99)
    var builder = PlanBuilder()
    let source = builder.input(numbers, .float32)
    let result = builder.output(rows * width, .float32)
    let layout = Layout(contiguous: [columns, rows]).transposed([1, 0])
    let target = Layout(shape: [rows, columns], strides: [width, 1], offset: 0)
    let piece = StridedCopy.Piece(source: Operand(value: source, layout: layout), destination: target)
    builder.step(.copy(StridedCopy(dtype: .float32, fill: .integer(7), pieces: [piece], result: result)))
    var expected = [Double](repeating: 7, count: rows * width)
    for row in 0..<rows {
      for column in 0..<columns { expected[row * width + column] = numbers[column * rows + row] }
    }
    #expect(try builder.run(on: cpu(simd: simd))[0] == expected)
  }
}
