import ApusDevice
import ApusGPU
import ApusTestSupport
import Testing

@DeviceThread @Suite struct IndexTests {
  struct Case: CustomTestStringConvertible {
    var outer, extent, count, inner: Int
    /// Whether all elements of a row share one index.
    var isShared = true
    var dtype = DType.float32
    var indexType = DType.int32
    var testDescription: String { "\(outer)x\(extent)→\(count)x\(inner) \(dtype) \(indexType)" }
  }

  nonisolated static let cases = [
    Case(outer: 1, extent: 50, count: 70, inner: 33), Case(outer: 128, extent: 10, count: 1, inner: 1),
    Case(outer: 3, extent: 6, count: 9, inner: 5, isShared: false, indexType: .int64),
    Case(outer: 2, extent: 7, count: 20, inner: 40, dtype: .bfloat16, indexType: .int64),
    Case(outer: 1, extent: 9, count: 100, inner: 1, dtype: .int64),
    Case(outer: 2, extent: 4, count: 30, inner: 3, isShared: false, dtype: .float16),
  ]

  private func indices(_ item: Case, _ numbers: inout Numbers) -> ([Double], Layout, (Int, Int, Int) -> Int) {
    let shape: Shape = [item.outer, item.count, item.inner]
    let values = numbers.integers(
      item.outer * item.count * (item.isShared ? 1 : item.inner), 0..<item.extent)
    var layout = Layout(contiguous: shape)
    if item.isShared { layout.strides = [item.count, 1, 0] }
    let strides = layout.strides
    return (values, layout, { Int(values[$0 * strides[0] + $1 * strides[1] + $2 * strides[2]]) })
  }

  @Test(arguments: cases) func gathers(_ item: Case) throws {
    var numbers = Numbers()
    let source = numbers.integers(item.outer * item.extent * item.inner, -8..<8)
    let (values, layout, index) = indices(item, &numbers)
    var expected: [Double] = []
    for o in 0..<item.outer {
      for j in 0..<item.count {
        for i in 0..<item.inner {
          expected.append(source[(o * item.extent + index(o, j, i)) * item.inner + i])
        }
      }
    }
    for (kernelClass, device) in Harness.devices {
      var builder = PlanBuilder()
      let sourceValue = builder.input(source, item.dtype)
      let indexValue = builder.input(values, item.indexType)
      let result = builder.output(expected.count, item.dtype)
      builder.step(
        .gather(
          Gather(
            outer: item.outer, extent: item.extent, count: item.count, inner: item.inner,
            dtype: item.dtype, source: sourceValue, indices: Operand(value: indexValue, layout: layout),
            result: result)))
      #expect(try builder.results(on: device)[0] == expected, "\(kernelClass)")
    }
  }

  @Test(arguments: cases) func scatters(_ item: Case) throws { try scatter(item, isSorted: false) }

  @Test(arguments: [cases[0], cases[3]]) func sumsSegments(_ item: Case) throws { try scatter(item, isSorted: true) }

  private func scatter(_ item: Case, isSorted: Bool) throws {
    var numbers = Numbers()
    let source = numbers.integers(item.outer * item.count * item.inner, -3..<4)
    var (values, layout, index) = indices(item, &numbers)
    if isSorted {
      for start in stride(from: 0, to: values.count, by: item.count) { values[start..<start + item.count].sort() }
      index = { [values] in Int(values[$0 * item.count + $1 + 0 * $2]) }
    }
    var expected = [Double](repeating: 0, count: item.outer * item.extent * item.inner)
    for o in 0..<item.outer {
      for j in 0..<item.count {
        for i in 0..<item.inner {
          expected[(o * item.extent + index(o, j, i)) * item.inner + i] +=
            source[(o * item.count + j) * item.inner + i]
        }
      }
    }
    for (kernelClass, device) in Harness.devices {
      var builder = PlanBuilder()
      let sourceValue = builder.input(source, item.dtype)
      let indexValue = builder.input(values, item.indexType)
      let result = builder.output(expected.count, item.dtype)
      builder.step(
        .scatterAdd(
          ScatterAdd(
            outer: item.outer, extent: item.extent, count: item.count, inner: item.inner,
            dtype: item.dtype, source: sourceValue, indices: Operand(value: indexValue, layout: layout),
            result: result, isSorted: isSorted)))
      #expect(try builder.results(on: device)[0] == expected, "\(kernelClass)")
    }
  }

  /// Rows are written in place, other rows stay, and indices out of range are ignored.
  @Test(arguments: [(1, DType.int64), (5, .int8), (70, .float32), (3000, .bfloat16)])
  func rowsAreWritten(inner: Int, dtype: DType) throws {
    let indexType: DType = inner == 5 ? .int64 : .int32
    var expected = Array(repeating: 1.0, count: 6 * inner)
    for i in 0..<inner {
      expected[inner + i] = Double(i % 50 + 2)
      expected[4 * inner + i] = Double((inner + i) % 50 + 2)
    }
    for (kernelClass, device) in Harness.devices {
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
      #expect(try builder.results(on: device)[0] == expected, "\(kernelClass)")
    }
  }

  /// Gathers the elements 0 and `index` of four elements.
  private func gather(_ index: Double, on device: any Device) throws -> [Double] {
    var builder = PlanBuilder()
    let source = builder.input([1, 2, 3, 4], .float32)
    let indices = builder.input([0, index], .int32)
    let result = builder.output(2, .float32)
    builder.step(
      .gather(
        Gather(
          outer: 1, extent: 4, count: 2, inner: 1, dtype: .float32, source: source,
          indices: Operand(value: indices, layout: Layout(shape: [1, 2, 1], strides: [2, 1, 0])),
          result: result)), "embedding")
    return try builder.results(on: device)[0]
  }

  @Test(arguments: [4.0, -1, 1_000_000]) func reportsIndices(_ index: Double) throws {
    for kernelClass in Harness.classes {
      let device = Harness.open(kernelClass)
      let error = #expect(throws: DeviceError.self) { try gather(index, on: device) }
      let fault = IndexFault(value: Int(index), position: [1], extent: 4)
      #expect(error == .indexOutOfRange(device: "opencl:0", operation: "embedding", fault: fault))
      // The device stays usable.
      #expect(try gather(3, on: device) == [1, 4])
    }
  }

  /// Segment indices that do not ascend or are out of range, anywhere in the list.
  @Test(arguments: [
    (segments: [0, 4, 3, 4, 4], fault: IndexFault(value: 3, position: [2], extent: 5, previous: 4)),
    ([0, 1, 2, 3, 5], IndexFault(value: 5, position: [4], extent: 5)),
    ([-1, 0, 0, 1, 1], IndexFault(value: -1, position: [0], extent: 5)),
    ([3, 0, 1, 1, 4], IndexFault(value: 0, position: [1], extent: 5, previous: 3)),
  ]) func reportsSegments(_ segments: [Double], _ fault: IndexFault) throws {
    for kernelClass in Harness.classes {
      var builder = PlanBuilder()
      let source = builder.input([1, 2, 3, 4, 5], .float32)
      let indices = builder.input(segments, .int32)
      let result = builder.output(5, .float32)
      builder.step(
        .scatterAdd(
          ScatterAdd(
            outer: 1, extent: 5, count: 5, inner: 1, dtype: .float32, source: source,
            indices: Operand(value: indices, layout: Layout(shape: [1, 5, 1], strides: [5, 1, 0])), result: result,
            isSorted: true)), "segmentSum")
      let device = Harness.open(kernelClass)
      let error = #expect(throws: DeviceError.self) { try builder.results(on: device) }
      #expect(error == .indexOutOfRange(device: "opencl:0", operation: "segmentSum", fault: fault))
    }
  }
}

@DeviceThread @Suite struct ScanTests {
  @Test(
    arguments: [[3, 5, 4], [1, 10_000, 1], [2, 1, 7], [5, 300, 1], [2, 300, 21]], [ReductionRow.sum, .product])
  func runningResults(_ shape: [Int], _ combine: ReductionRow) throws {
    var numbers = Numbers()
    let (outer, extent, inner) = (shape[0], shape[1], shape[2])
    let isProduct = combine == .product
    let x =
      isProduct
      ? numbers.integers(outer * extent * inner, 0..<2).map { $0 * 2 - 1 }
      : numbers.integers(outer * extent * inner, -4..<5)
    for (kernelClass, device) in Harness.devices {
      for (isReversed, dtype) in [(false, DType.float32), (true, .int64), (true, .bfloat16)] {
        if dtype == .bfloat16 && extent > 20 { continue }
        var builder = PlanBuilder()
        let source = builder.input(x, dtype)
        let result = builder.output(x.count, dtype)
        builder.step(
          .scan(
            Scan(
              outer: outer, extent: extent, inner: inner, combine: combine, isReversed: isReversed,
              dtype: dtype, source: source, result: result)))
        var expected = x
        for o in 0..<outer {
          for i in 0..<inner {
            var sum = isProduct ? 1.0 : 0
            for step in 0..<extent {
              let at = (o * extent + (isReversed ? extent - 1 - step : step)) * inner + i
              sum = isProduct ? sum * x[at] : sum + x[at]
              expected[at] = sum
            }
          }
        }
        #expect(try builder.results(on: device)[0] == expected, "\(kernelClass) \(isReversed)")
      }
    }
  }

  /// A scan along columns has the same bits as a scan along rows. A line has more than 16³ elements, so that the
  /// cascade of its sum has several levels. 19 columns are one whole register and a part of another.
  @Test(arguments: [ReductionRow.sum, .product], [false, true])
  func columnsHaveTheBitsOfRows(_ combine: ReductionRow, _ isReversed: Bool) throws {
    let (extent, columns) = (4500, 19)
    var numbers = Numbers()
    let around: Double = combine == .sum ? 0 : 1
    let rows = numbers.integers(extent * columns, -1000..<1000).map { around + $0 / 4_000_037 }
    let transposed = (0..<extent * columns).map { rows[$0 % columns * extent + $0 / columns] }
    for (kernelClass, device) in Harness.devices {
      func scanned(_ x: [Double], outer: Int, inner: Int) throws -> [Double] {
        var builder = PlanBuilder()
        let source = builder.input(x, .float32)
        let result = builder.output(x.count, .float32)
        builder.step(
          .scan(
            Scan(
              outer: outer, extent: extent, inner: inner, combine: combine, isReversed: isReversed,
              dtype: .float32, source: source, result: result)))
        return try builder.results(on: device)[0]
      }
      let byRows = try scanned(rows, outer: columns, inner: 1)
      let byColumns = try scanned(transposed, outer: 1, inner: columns)
      let expected = (0..<extent * columns).map { byRows[$0 % columns * extent + $0 / columns] }
      #expect(byColumns.map(\.bitPattern) == expected.map(\.bitPattern), "\(kernelClass)")
    }
  }
}

@DeviceThread @Suite struct SortTests {
  @Test(arguments: [(1, 1), (4, 16), (3, 17), (2, 1000), (5, 130)])
  func stableOrder(_ rows: Int, _ columns: Int) throws {
    var numbers = Numbers()
    for dtype in [DType.float32, .int32, .float16] {
      var x = numbers.integers(rows * columns, -20..<20)
      if dtype != .int32 { for place in stride(from: 0, to: x.count, by: 7) { x[place] = .nan } }
      for isDescending in [false, true] {
        var expected: [Double] = []
        for row in 0..<rows {
          let keys = Array(x[row * columns..<(row + 1) * columns])
          // NaN counts as larger than every number.
          func precedes(_ a: Double, _ b: Double) -> Bool { a < b || (b.isNaN && !a.isNaN) }
          let order = keys.indices.sorted { i, j in
            let (a, b) = isDescending ? (keys[j], keys[i]) : (keys[i], keys[j])
            return precedes(a, b) || (!precedes(b, a) && i < j)
          }
          expected += order.map(Double.init)
        }
        for (kernelClass, device) in Harness.devices {
          var builder = PlanBuilder()
          let source = builder.input(x, dtype)
          let result = builder.output(x.count, .int64)
          builder.step(
            .sort(
              Sort(
                rows: rows, columns: columns, isDescending: isDescending, dtype: dtype, source: source,
                result: result)))
          #expect(try builder.results(on: device)[0] == expected, "\(kernelClass) \(dtype) \(isDescending)")
        }
      }
    }
  }
}

@DeviceThread @Suite struct RandomTests {
  /// Philox4x32-10 as its authors define it.
  static func philox(_ counter: [UInt32], _ key: [UInt32]) -> [UInt32] {
    var (c, k) = (counter, key)
    for _ in 0..<10 {
      let p0 = UInt64(0xD251_1F53) * UInt64(c[0])
      let p1 = UInt64(0xCD9E_8D57) * UInt64(c[2])
      c = [
        UInt32(p1 >> 32) ^ c[1] ^ k[0], UInt32(truncatingIfNeeded: p1), UInt32(p0 >> 32) ^ c[3] ^ k[1],
        UInt32(truncatingIfNeeded: p0),
      ]
      k = [k[0] &+ 0x9E37_79B9, k[1] &+ 0xBB67_AE85]
    }
    return c
  }

  @Test func knownAnswer() {
    // From the authors' known-answer file: all bits of counter and key are 1.
    let ones = [UInt32](repeating: .max, count: 4)
    #expect(Self.philox(ones, [.max, .max]) == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
  }

  /// Word numbers in order, in another order, and in rows that begin within a block of four words.
  private nonisolated static let numbers: [(Layout, Lane)] =
    [1, 6, 64, 5003].map { (Layout(contiguous: [$0]), .int32) } + [
      (Layout(shape: [40, 50], strides: [1, 40], offset: 0), .int32),
      (Layout(shape: [21, 301], strides: [331, 1], offset: 1 << 33 | 2), .int64),
    ]

  @Test(arguments: numbers) func words(_ numbers: Layout, lane: Lane) throws {
    let seed: Int64 = -0x1234_5678_9abc
    let counter: Int64 = 0x7_0000_0003
    let (rows, columns) = (numbers.shape.rank == 1 ? 1 : numbers.shape[0], numbers.shape.last!)
    for (kernelClass, device) in Harness.devices {
      var builder = PlanBuilder()
      _ = builder.scalar(.float(0), .float32)
      builder.drawWords(numbers, lane: lane, seed: seed, counter: counter)
      let output = try builder.results(on: device)[0]
      func halves(_ number: Int64) -> [UInt32] {
        [UInt32(truncatingIfNeeded: number), UInt32(truncatingIfNeeded: number >> 32)]
      }
      let expected = (0..<rows * columns).map { element in
        let (row, column) = element.quotientAndRemainder(dividingBy: columns)
        let place = numbers.offset + row * numbers.strides[0] + column * numbers.strides.last!
        let words = Self.philox(halves(Int64(place / 4)) + halves(counter), halves(seed))
        return Double(Int32(bitPattern: words[place % 4]))
      }
      #expect(output == expected, "\(kernelClass)")
    }
  }
}
