import ApusDevice
import ApusGPU
import ApusTestSupport
import Testing

/// The kernels for gather, scatter-add, segment sum and row write.
@DeviceThread @Suite struct IndexTests {
  /// The array that is gathered from, or added to, has the shape `[outer, extent, inner]`; the other array has the
  /// shape `[outer, count, inner]`.
  struct Case: CustomTestStringConvertible {
    var outer, extent, count, inner: Int
    /// Whether the `inner` elements of a row share one index.
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

  /// `RowWrite` overwrites the rows that the indices name, in place, keeps the other rows, and ignores indices out of
  /// range.
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

  /// The error names the first segment index that is out of range or less than the index before it.
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
