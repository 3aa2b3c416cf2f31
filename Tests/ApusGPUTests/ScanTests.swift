import ApusDevice
import ApusGPU
import ApusTestSupport
import Testing

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

  /// A scan along columns has the same bits as a scan along rows. Each scanned row or column has more than 16³
  /// elements, so that its cascade summation has several levels. 19 columns fill one vector register and part of
  /// another.
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
