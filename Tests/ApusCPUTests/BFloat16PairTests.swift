import Apus
import ApusDevice
import ApusTestSupport
import ApusCSIMD
import Testing

@testable import ApusCPU

/// Whether this processor has AVX512-BF16, whose instruction multiplies two pairs of bfloat16 elements and adds both
/// products to a sum.
private let hasPairs = csimd_choose("avx512").map { csimd_find_pairs($0, .vector) != nil } ?? false

/// The instruction for pairs of bfloat16 elements gives the same bits as multiply-adds of single elements.
@Suite(.enabled(if: hasPairs, "this processor has no AVX512-BF16")) struct BFloat16PairTests {
  /// Runs `body` with the instruction for pairs (`avx512`) and with single multiply-adds (`avx2`, which has no such
  /// instruction), and compares the bits of the results.
  private func compare(_ name: String, _ body: () throws -> [Tensor]) throws {
    let results = try ["avx512", "avx2"].map { simd in
      let device = try CPUDevice(threadCount: 3, simd: simd, memoryLimit: 1 << 32, pairs: .vector)
      return try withDevice(ComputeDevice(backend: device)) { () throws in
        try body().map { try $0.cast(to: .float32).array().map(\Float.bitPattern) }
      }
    }
    // `elementsEqual`, since `==` takes hours to show the difference of two large arrays if the test fails.
    for (pairs, single) in zip(results[0], results[1]) { #expect(pairs.elementsEqual(single), "\(name)") }
  }

  /// Elements whose sums are never subnormal, since the instruction for pairs flushes subnormal numbers to zero.
  private func numbers(_ shape: Shape, seed: UInt64) -> Tensor {
    var random = TestNumbers(seed: seed)
    return Tensor(random.array(shape.elementCount).map { Float($0) }, shape: shape).cast(to: .bfloat16)
  }

  /// On a device that prefers `float32` products, the step of a `bfloat16` product reads factors stored as `float32`
  /// (`dtype`), but still knows that their values are rounded to `bfloat16` (`factorDtype`).
  @Test func factorsAreKnownToBeNarrow() throws {
    let device = RecordingDevice(prefersFloat32Products: true)
    try withDevice(ComputeDevice(backend: device)) { () throws in
      let a = try eval(Tensor.zeros([40, 50], dtype: .bfloat16))
      let b = try eval(Tensor.zeros([50, 60]))
      try eval(a.matmul(b.cast(to: .bfloat16)))
    }
    let products = device.lastSteps.compactMap { if case .matmul(let step) = $0 { step } else { nil } }
    #expect(products.map(\.dtype) == [.float32] && products.map(\.factorDtype) == [.bfloat16])
  }

  /// The instruction for pairs is really used: it flushes subnormal sums to zero, but single multiply-adds keep them.
  @Test func subnormalSumsAreZeros() throws {
    let tiny = 0x1p-66
    func results(_ simd: String) throws -> [Float] {
      let device = try CPUDevice(threadCount: 2, simd: simd, memoryLimit: 1 << 32, pairs: .vector)
      return try withDevice(ComputeDevice(backend: device)) { () throws in
        let (a, b) = (Tensor(repeating: tiny, shape: [64, 64]), Tensor(repeating: tiny, shape: [64, 64]))
        let product = a.cast(to: .bfloat16).matmul(b.cast(to: .bfloat16))
        let x = Tensor(repeating: tiny, shape: [1, 16, 9, 9]).cast(to: .bfloat16)
        let w = Tensor(repeating: tiny, shape: [32, 16, 3, 3]).cast(to: .bfloat16)
        let windows = x.convolved(with: w, stride: [2, 2])
        return try [product, windows].map { try $0.cast(to: .float32).max().array()[0] }
      }
    }
    #expect(try results("avx512") == [0, 0])
    #expect(try results("avx2") == [0x1p-126, 144 * 0x1p-132])
  }

  @Test(arguments: [
    (300, 290, 530), (33, 17, 1), (64, 64, 4091), (100, 31, 257), (500, 40, 300), (40, 2000, 77), (1, 300, 65),
    (250, 16, 300), (13, 1000, 301), (516, 200, 1031), (300, 1000, 600),
  ])
  func products(_ m: Int, _ n: Int, _ k: Int) throws {
    try compare("\(m)x\(n)x\(k)") {
      let (a, b) = (numbers([m, k], seed: 1), numbers([k, n], seed: 2))
      let (at, bt) = (numbers([k, m], seed: 3).transposed(), numbers([n, k], seed: 4).transposed())
      return [a.matmul(b), at.matmul(b), a.matmul(bt), at.matmul(bt).relu()]
    }
  }

  @Test func batches() throws {
    try compare("batches") {
      let (a, b) = (numbers([20, 64, 63], seed: 1), numbers([20, 63, 64], seed: 2))
      return [a.matmul(b), a.matmul(numbers([63, 40], seed: 3)), a.transposed().matmul(a)]
    }
  }

  struct Window: CustomStringConvertible, Sendable {
    var channels: Int
    var outputs: Int
    var kernel: Int
    var stride: Int
    var size: Int

    var description: String { "\(size)x\(size), \(channels) to \(outputs), \(kernel)x\(kernel) stride \(stride)" }
  }

  @Test(arguments: [
    Window(channels: 16, outputs: 24, kernel: 3, stride: 2, size: 17),
    Window(channels: 6, outputs: 40, kernel: 3, stride: 2, size: 9),
    Window(channels: 64, outputs: 70, kernel: 1, stride: 1, size: 14),
    Window(channels: 32, outputs: 48, kernel: 5, stride: 1, size: 13),
    Window(channels: 5, outputs: 32, kernel: 3, stride: 2, size: 12),
  ])
  func convolutions(_ window: Window) throws {
    let (channels, outputs, kernel, stride) = (window.channels, window.outputs, window.kernel, window.stride)
    try compare("\(window)") {
      let x = numbers([4, channels, window.size, window.size], seed: 1)
      let w = numbers([outputs, channels, kernel, kernel], seed: 2)
      // A second convolution, so that the intermediate image is stored channels-last.
      let v = numbers([32, outputs, 3, 3], seed: 3)
      let padding = (before: kernel / 2, after: kernel / 2)
      let y = x.convolved(with: w, stride: [stride, stride], padding: [padding, padding]).relu()
      let z = y.convolved(with: v, stride: [2, 2], padding: [(before: 1, after: 1), (before: 1, after: 1)])
      return [y, z] + gradients(of: (z * numbers(z.shape, seed: 4)).sum(), withRespectTo: [x, w, v])
    }
  }
}
