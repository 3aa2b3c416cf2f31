import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusCPU

@Suite struct SortTests {
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
}
