import Apus
import ApusDevice
import ApusTestSupport
import ApusCSIMD
import Testing

@testable import ApusCPU

/// Whether this machine multiplies bfloat16 numbers on tile registers (Intel AMX).
private let hasTiles = csimd_choose("avx512").map { csimd_find_pairs($0, .matrix) != nil } ?? false

/// Matrix products of bfloat16 numbers on AMX are summed in the order of `chain` below. They have the same bits for any
/// number of threads.
@Suite(.enabled(if: hasTiles, "this processor has no AMX-BF16")) struct MatrixUnitTests {
  private func device(threads: Int) throws -> ComputeDevice {
    ComputeDevice(backend: try CPUDevice(threadCount: threads, simd: nil, memoryLimit: 1 << 32, pairs: .matrix))
  }

  /// Returns the sum of one accumulation chain. An instruction adds 32 products at a time: it sums the products with
  /// even indices and the products with odd indices separately, adds the two sums, and adds the result to the
  /// accumulator.
  private func chain(_ a: [Float], _ b: [Float]) -> Float {
    var sum: Float = 0
    for start in stride(from: 0, to: a.count, by: 32) {
      var parts: (odd: Float, even: Float) = (0, 0)
      for index in stride(from: start, to: min(start + 32, a.count), by: 2) {
        parts.even = parts.even.addingProduct(a[index], b[index])
        if index + 1 < a.count { parts.odd = parts.odd.addingProduct(a[index + 1], b[index + 1]) }
      }
      sum += parts.odd + parts.even
    }
    return sum
  }

  private func numbers(_ shape: Shape, seed: UInt64) -> Numbers {
    var random = TestNumbers(seed: seed)
    // The upper half of a float32 number is a bfloat16 number.
    let values = random.array(shape.elementCount).map { Float(bitPattern: Float($0).bitPattern & 0xFFFF_0000) }
    return (Tensor(values, shape: shape).cast(to: .bfloat16), values)
  }

  private typealias Numbers = (tensor: Tensor, values: [Float])

  /// The bits of the product of two matrices, for one and for three threads, and for each combination of factors that
  /// are stored transposed or not.
  private func products(_ a: Numbers, _ b: Numbers) throws -> [[UInt32]] {
    var results: [[UInt32]] = []
    for threads in [1, 3] {
      let device = try device(threads: threads)
      try withDevice(device) { () throws in
        let (x, y) = (try a.tensor.moved(to: device), try b.tensor.moved(to: device))
        let (xt, yt) = (
          try eval(x.transposed()).transposed(), try eval(y.transposed()).transposed()
        )
        for product in [x.matmul(y), xt.matmul(y), x.matmul(yt), xt.matmul(yt)] {
          results.append(try product.cast(to: .float32).array().map(\.bitPattern))
        }
      }
    }
    return results
  }

  /// The extents m, n and k of products.
  private static let sizes = [
    (64, 64, 64), (33, 17, 1), (300, 290, 530), (64, 64, 4091), (100, 31, 257), (40, 2000, 77), (13, 1000, 301),
    (516, 200, 1031), (48, 40, 31), (1000, 33, 512),
  ]

  @Test(arguments: sizes) func productsHaveTheSameBits(_ m: Int, _ n: Int, _ k: Int) throws {
    let results = try products(numbers([m, k], seed: 1), numbers([k, n], seed: 2))
    for other in results.dropFirst() { #expect(other == results[0]) }
  }

  /// Compares elements of products with sums in the order of `chain`. Products of fewer than 32 rows are left out,
  /// because they may be computed without tile registers.
  @Test(arguments: sizes.filter { $0.0 >= 32 }) func productsAddInOrder(_ m: Int, _ n: Int, _ k: Int) throws {
    let (a, b) = (numbers([m, k], seed: 1), numbers([k, n], seed: 2))
    let result = try products(a, b)[0]
    var random = TestNumbers(seed: 5)
    for _ in 0..<200 {
      let (row, column) = (Int(random.integers(1, 0...(m - 1))[0]), Int(random.integers(1, 0...(n - 1))[0]))
      let (x, y) = ((0..<k).map { a.values[row * k + $0] }, (0..<k).map { b.values[$0 * n + column] })
      // Chains of 256 products, added in order.
      let sum = stride(from: 0, to: k, by: 256).reduce(nil as Float?) { sum, start in
        let part = chain(Array(x[start..<min(start + 256, k)]), Array(y[start..<min(start + 256, k)]))
        return sum.map { $0 + part } ?? part
      }
      let expected = Rounding.bfloat16.rounded(Double(sum ?? 0))
      #expect(Double(Float(bitPattern: result[row * n + column])) == expected, "\(row) \(column)")
    }
  }

  /// In the first four cases, the number of input channels is a multiple of 32, which tile registers require in the
  /// forward pass. The forward passes of the last two cases are computed without tile registers.
  @Test(arguments: [(64, 3, 1, 16), (32, 3, 2, 17), (64, 1, 1, 14), (32, 5, 1, 9), (48, 3, 1, 8), (16, 3, 1, 12)])
  func convolutions(_ channels: Int, _ kernel: Int, _ stride: Int, _ size: Int) throws {
    let (x, w) = (numbers([3, channels, size, size], seed: 1), numbers([40, channels, kernel, kernel], seed: 2))
    func results(on device: ComputeDevice) throws -> [[Float]] {
      try withDevice(device) { () throws in
        let (x, w) = (try x.tensor.moved(to: device), try w.tensor.moved(to: device))
        let padding = (before: kernel / 2, after: kernel / 2)
        let y = x.convolved(with: w, stride: [stride, stride], padding: [padding, padding])
        let slopes = try numbers(y.shape, seed: 4).tensor.moved(to: device)
        let loss = (y * slopes).sum()
        return try ([y] + gradients(of: loss, withRespectTo: [x, w])).map { try $0.cast(to: .float32).array() }
      }
    }
    let found = try results(on: try device(threads: 3))
    let again = try results(on: try device(threads: 1))
    #expect(found == again)
    let expected = try results(on: TestDevice.reference.device)
    for (values, references) in zip(found, expected) {
      let scale = references.map(abs).max()!
      for (value, reference) in zip(values, references) { #expect(abs(value - reference) <= 0x1p-7 * scale) }
    }
  }
}
