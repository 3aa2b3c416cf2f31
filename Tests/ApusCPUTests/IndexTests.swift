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
}
