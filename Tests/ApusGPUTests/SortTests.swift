import ApusDevice
import ApusGPU
import ApusTestSupport
import Testing

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
