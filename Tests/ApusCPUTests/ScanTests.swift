import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusCPU

@Suite struct ScanTests {
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
}
