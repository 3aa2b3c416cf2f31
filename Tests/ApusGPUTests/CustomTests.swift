import ApusDevice
import ApusGPU
import ApusTestSupport
import Testing

/// User-defined kernels: names, sizes, more items than a work-group has work-items, and elements of several types
/// through `LOAD` and `STORE`.
@DeviceThread @Suite struct CustomTests {
  private func run(
    _ kernel: CustomKernel, count: Int, sizes: [Int], _ inputs: [([Double], DType)], _ results: [(Int, DType)],
    on device: any Device
  ) throws -> [[Double]] {
    var builder = PlanBuilder()
    let inputs = inputs.map { builder.input($0.0, $0.1) }
    let results = results.map { builder.output($0.0, $0.1) }
    builder.step(.custom(Custom(kernel: kernel, count: count, sizes: sizes, inputs: inputs, results: results)))
    return try builder.results(on: device)
  }

  @Test func itemsThatAreRows() throws {
    let kernel = CustomKernel(
      name: "row sums", inputNames: ["x", "w"], resultNames: ["sum", "y"], sizeNames: ["columns"],
      text: """
        REAL total = 0;
        for (int j = 0; j < columns; j += 1) total += x[i * columns + j];
        sum[i] = total;
        for (int j = 0; j < columns; j += 1) y[i * columns + j] = x[i * columns + j] * w[j] - total;
        """, host: nil)
    var numbers = Numbers()
    let (rows, columns) = (300, 7)
    let (x, w) = (numbers.array(rows * columns), numbers.array(columns))
    let sums = (0..<rows).map { x[$0 * columns..<($0 + 1) * columns].reduce(0, +) }
    let y = x.indices.map { x[$0] * w[$0 % columns] - sums[$0 / columns] }
    for (kernelClass, device) in Harness.devices {
      let found = try run(
        kernel, count: rows, sizes: [columns], [(x, .float32), (w, .float32)],
        [(rows, .float32), (y.count, .float32)], on: device)
      #expect(found == [sums, y], "\(kernelClass)")
    }
  }

  @Test func numbersOfEveryType() throws {
    let kernel = CustomKernel(
      name: "mixed", inputNames: ["a", "b", "n", "t"], resultNames: ["y", "z", "m"], sizeNames: [],
      text: """
        const REAL sum = LOAD(a, i) * 2 + LOAD(b, i);
        STORE(y, i, sum);
        STORE(z, i, LOAD(y, i) - LOAD(n, i));
        STORE(m, i, LOAD(t, i) ? LOAD(n, i) : -1);
        """, host: nil)
    var numbers = Numbers()
    let count = 70
    let (a, b) = (numbers.array(count), numbers.array(count))
    let (n, t) = (numbers.integers(count, -8..<8), numbers.integers(count, 0..<2))
    let y = a.indices.map { a[$0] * 2 + b[$0] }
    // A bfloat16 has 8 significant bits, and ties round to even. The values to round are multiples of 1/64.
    let z = y.indices.map { DType.bfloat16.rounded(y[$0] - n[$0]) }
    let m = n.indices.map { t[$0] == 0 ? -1 : n[$0] }
    for (kernelClass, device) in Harness.devices {
      let found = try run(
        kernel, count: count, sizes: [], [(a, .float16), (b, .bfloat16), (n, .int8), (t, .bool)],
        [(count, .float16), (count, .bfloat16), (count, .int64)], on: device)
      let rounded = b.map(DType.bfloat16.rounded)
      #expect(rounded == b, "the test's numbers are not exact")
      #expect(found == [y, z, m], "\(kernelClass)")
    }
  }
}
