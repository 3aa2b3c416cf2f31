import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusCPU

@Suite struct IndexTests {
  /// With `isRow`, an index selects a whole row of `inner` elements; otherwise each result has its own index.
  @Test(arguments: [DType.float32, .float16, .int64, .uint8])
  func gatherRowsAndElements(dtype: DType) throws {
    let (outer, extent, count, inner) = (2, 5, 7, 3)
    var random = TestNumbers(seed: 41)
    let source = random.integers(outer * extent * inner, 0...50)
    for isRow in [true, false] {
      var builder = PlanBuilder()
      let numbers = random.integers(isRow ? count : outer * count * inner, 0...4)
      let vs = builder.input(source, dtype)
      let vi = builder.input(numbers, isRow ? .int32 : .int64)
      let vr = builder.output(outer * count * inner, dtype)
      let shape: Shape = [outer, count, inner]
      let layout = isRow ? Layout(shape: shape, strides: [0, 1, 0]) : Layout(contiguous: shape)
      builder.step(
        .gather(
          Gather(
            outer: outer, extent: extent, count: count, inner: inner, dtype: dtype, source: vs,
            indices: Operand(value: vi, layout: layout), result: vr)))
      let result = try builder.run(on: cpu())[0]
      let positions = layout.positions
      for (element, position) in positions.enumerated() {
        let (o, i) = (element / (count * inner), element % inner)
        #expect(result[element] == source[(o * extent + Int(numbers[position])) * inner + i])
      }
    }
  }

  @Test func indexOutsideIsAnError() throws {
    for bad in [-1.0, 5.0] {
      let fault = IndexFault(value: Int(bad), position: [1], extent: 5)
      var builder = PlanBuilder()
      let vs = builder.input([Double](repeating: 1, count: 5), .float32)
      let vi = builder.input([0, bad, 4], .int64)
      let (vg, va) = (builder.output(3, .float32), builder.output(5, .float32))
      let indices = Operand(value: vi, layout: Layout(contiguous: [1, 3, 1]))
      var scattering = builder
      builder.step(
        .gather(
          Gather(
            outer: 1, extent: 5, count: 3, inner: 1, dtype: .float32, source: vs, indices: indices,
            result: vg)))
      #expect(throws: DeviceError.indexOutOfRange(device: "cpu", operation: "test", fault: fault)) {
        try builder.run(on: cpu())
      }
      scattering.step(
        .scatterAdd(
          ScatterAdd(
            outer: 1, extent: 5, count: 3, inner: 1, dtype: .float32, source: vs, indices: indices,
            result: va)))
      #expect(throws: DeviceError.indexOutOfRange(device: "cpu", operation: "test", fault: fault)) {
        try scattering.run(on: cpu())
      }
    }
  }

  @Test(arguments: [DType.float32, .float64, .float16, .bfloat16, .int32, .int64, .uint8])
  func scatterAddSumsInOrder(dtype: DType) throws {
    for (outer, extent, count, inner, isRow) in [
      (1, 6, 40, 3, true), (2, 5, 9, 4, false), (1, 300, 20_000, 2, true), (1, 10, 50_000, 1, true),
    ] {
      var random = TestNumbers(seed: 43)
      let source = random.integers(outer * count * inner, 0...1)
      let numbers = random.integers(isRow ? count : outer * count * inner, 0...(extent - 1))
      var builder = PlanBuilder()
      let vs = builder.input(source, dtype)
      let vi = builder.input(numbers, .int32)
      let vr = builder.output(outer * extent * inner, dtype)
      let shape: Shape = [outer, count, inner]
      let layout = isRow ? Layout(shape: shape, strides: [0, 1, 0]) : Layout(contiguous: shape)
      builder.step(
        .scatterAdd(
          ScatterAdd(
            outer: outer, extent: extent, count: count, inner: inner, dtype: dtype, source: vs,
            indices: Operand(value: vi, layout: layout), result: vr)))
      var sums = [Double](repeating: 0, count: outer * extent * inner)
      for (element, position) in layout.positions.enumerated() {
        let (o, i) = (element / (count * inner), element % inner)
        sums[(o * extent + Int(numbers[position])) * inner + i] += source[element]
      }
      #expect(try builder.run(on: cpu())[0] == sums.map(dtype.rounded))
    }
  }

  /// The indexed rows are written in place, other rows stay unchanged, and indices out of range are ignored.
  @Test(arguments: [DType.float32, .float64, .float16, .int64, .int8, .bool], [DType.int32, .int64])
  func rowsAreWritten(dtype: DType, indexType: DType) throws {
    for inner in [1, 5, 3000] {
      var builder = PlanBuilder()
      let base = builder.input(Array(repeating: 1, count: 6 * inner), dtype)
      let rows = builder.input((0..<4 * inner).map { Double($0 % 50 + 2) }, dtype)
      let indices = builder.input([1, 4, 6, -1], indexType)
      let result = builder.output(over: base)
      builder.step(
        .rowWrite(
          RowWrite(
            extent: 6, count: 4, inner: inner, dtype: dtype, base: base, rows: rows,
            indices: Operand(value: indices, layout: Layout(shape: [1, 4, inner], strides: [0, 1, 0])), result: result))
      )
      var expected = Array(repeating: 1.0, count: 6 * inner)
      for i in 0..<inner {
        expected[inner + i] = dtype == .bool ? 1 : Double(i % 50 + 2)
        expected[4 * inner + i] = dtype == .bool ? 1 : Double((inner + i) % 50 + 2)
      }
      #expect(try builder.run(on: cpu())[0] == expected)
    }
  }

  @Test(arguments: [DType.float32, .float64, .int32, .int64, .int8, .float16])
  func sortIsStable(dtype: DType) throws {
    for (rows, columns) in [(3, 10), (2, 1000), (1, 1), (5, 49)] {
      for isDescending in [false, true] {
        var random = TestNumbers(seed: 45)
        var numbers = random.integers(rows * columns, -20...20)
        if dtype.isFloatingPoint { for index in stride(from: 2, to: numbers.count, by: 7) { numbers[index] = .nan } }
        if dtype.isFloatingPoint { for index in stride(from: 3, to: numbers.count, by: 7) { numbers[index] = -0.0 } }
        var builder = PlanBuilder()
        let vs = builder.input(numbers, dtype)
        let vr = builder.output(rows * columns, .int64)
        builder.step(
          .sort(
            Sort(
              rows: rows, columns: columns, isDescending: isDescending, dtype: dtype, source: vs,
              result: vr)))
        let result = try builder.run(on: cpu())[0]
        for row in 0..<rows {
          let part = Array(numbers[(row * columns)..<((row + 1) * columns)])
          let order = (0..<columns).sorted { a, b in
            let (x, y) = (part[a], part[b])
            if x.isNaN || y.isNaN {
              if x.isNaN && y.isNaN { return a < b }
              return isDescending ? x.isNaN : y.isNaN
            }
            if x == y { return a < b }
            return isDescending ? x > y : x < y
          }
          #expect(result[(row * columns)..<((row + 1) * columns)].map { Int($0) } == order)
        }
      }
    }
  }

  @Test(arguments: [ReductionRow.sum, .product], [DType.float32, .float64, .int32, .int64, .float16, .uint8])
  func scanMatchesScalarCode(combine: ReductionRow, dtype: DType) throws {
    for (outer, extent, inner) in [(1, 9, 1), (3, 5, 4), (2, 6, 300), (4, 1, 3)] {
      for isReversed in [false, true] {
        var random = TestNumbers(seed: 47)
        let numbers = random.integers(outer * extent * inner, 1...2)
        var builder = PlanBuilder()
        let vs = builder.input(numbers, dtype)
        let vr = builder.output(numbers.count, dtype)
        builder.step(
          .scan(
            Scan(
              outer: outer, extent: extent, inner: inner, combine: combine, isReversed: isReversed,
              dtype: dtype, source: vs, result: vr)))
        var expected = numbers
        for o in 0..<outer {
          for i in 0..<inner {
            var running: Double?
            for step in 0..<extent {
              let element = (o * extent + (isReversed ? extent - 1 - step : step)) * inner + i
              running =
                running.map { combine == .sum ? $0 + numbers[element] : $0 * numbers[element] } ?? numbers[element]
              expected[element] = running!
            }
          }
        }
        #expect(try builder.run(on: cpu())[0] == expected.map(dtype.rounded))
      }
    }
  }

  @Test func philoxMatchesTheKnownAnswer() throws {
    // A test vector of Random123 (kat_vectors): philox4x32 with 10 rounds, counter 0 and key 0.
    var builder = PlanBuilder()
    builder.drawWords(Layout(contiguous: [70_001]), seed: 0, counter: 0)
    let result = try builder.run(on: cpu())[0].map { UInt32(bitPattern: Int32($0)) }
    #expect(Array(result[..<4]) == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
    #expect(Set(result).count > 69_000)
  }

  /// The CPU draws the same random words as the reference device. The word indices of a case are consecutive, form rows
  /// that begin in the middle of a Philox block (four words), are in another order, or are repeated.
  @Test(arguments: availableSets) func randomWordsMatchTheReferenceDevice(simd: String) throws {
    let layouts: [(Layout, Lane)] = [
      (Layout(contiguous: [1]), .int32), (Layout(contiguous: [5003]), .int32),
      (Layout(shape: [3000], strides: [1], offset: 1 << 33 | 3), .int64),
      (Layout(shape: [21, 301], strides: [331, 1], offset: 2), .int32),
      (Layout(shape: [300, 13], strides: [17, 1], offset: 1), .int64),
      (Layout(shape: [40, 50], strides: [1, 40], offset: 0), .int32),
      (Layout(shape: [30, 1, 7], strides: [1, 0, 0], offset: 5), .int64),
      (Layout(shape: [60], strides: [0], offset: 9), .int32),
    ]
    for (layout, lane) in layouts {
      var builder = PlanBuilder()
      builder.drawWords(layout, lane: lane, seed: -0x1234_5678_9abc, counter: 0x7_0000_0003)
      let expected = try builder.run(on: ReferenceDevice())[0]
      #expect(try builder.run(on: cpu(simd: simd))[0] == expected, "\(layout)")
    }
  }

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

  /// Transposes larger than the caches, with whole tiles and with partial tiles at the edges. The row stride of the
  /// result may exceed the length of a row.
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
