import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusCPU

@Suite struct PoolingTests {
  struct Case {
    var input: SIMD3<Int>
    var window: SIMD3<Int>
    var stride: SIMD3<Int>
    var padding: SIMD3<Int> = [0, 0, 0]
    var dilation: SIMD3<Int> = [1, 1, 1]
    var planes = 3

    var output: SIMD3<Int> {
      let span = input &+ padding &+ padding &- (window &- 1) &* dilation &- 1
      return SIMD3(span.x / stride.x + 1, span.y / stride.y + 1, span.z / stride.z + 1)
    }
  }

  static let cases = [
    Case(input: [1, 28, 28], window: [1, 2, 2], stride: [1, 2, 2], planes: 60),
    Case(input: [1, 10, 10], window: [1, 2, 2], stride: [1, 2, 2]),
    Case(input: [1, 7, 9], window: [1, 2, 2], stride: [1, 2, 2]),
    Case(input: [1, 13, 40], window: [1, 3, 3], stride: [1, 2, 2], padding: [0, 1, 1]),
    Case(input: [1, 1, 30], window: [1, 1, 4], stride: [1, 1, 3], padding: [0, 0, 2]),
    Case(input: [4, 6, 5], window: [2, 3, 2], stride: [2, 1, 1], padding: [1, 1, 1], dilation: [1, 2, 1]),
    Case(input: [1, 5, 5], window: [1, 5, 5], stride: [1, 1, 1]),
  ]

  /// Calls `body` for each result, with the index of the result and the indices of the pixels in its window.
  private func windows(_ test: Case, _ body: (_ result: Int, _ pixels: [Int]) -> Void) {
    let (input, output) = (test.input, test.output)
    for plane in 0..<test.planes {
      for o in 0..<output.wrappedProduct {
        let at = SIMD3(o / (output.y * output.z), o / output.z % output.y, o % output.z)
        var pixels: [Int] = []
        for t in 0..<test.window.wrappedProduct {
          let (y, z) = (test.window.y, test.window.z)
          let tap = SIMD3(t / (y * z), t / z % y, t % z)
          let i = at &* test.stride &+ tap &* test.dilation &- test.padding
          guard all(i .>= SIMD3(0, 0, 0)), all(i .< input) else { continue }
          pixels.append(plane * input.wrappedProduct + (i.x * input.y + i.y) * input.z + i.z)
        }
        body(plane * output.wrappedProduct + o, pixels)
      }
    }
  }

  private func best(_ pixels: [Int], _ x: [Double]) -> Int {
    pixels.first { x[$0].isNaN } ?? pixels.dropFirst().reduce(pixels[0]) { x[$1] > x[$0] ? $1 : $0 }
  }

  private func run(
    _ test: Case, _ kind: Pooling.Kind, _ pass: Pooling.Pass, _ x: [Double], _ second: [Double]?,
    counts: Bool, dtype: DType, simd: String?
  ) throws -> [Double] {
    var builder = PlanBuilder()
    let left = builder.input(x, dtype)
    let right = second.map { builder.input($0, dtype) }
    let extents = pass == .backward ? test.input : test.output
    let domain: Shape = [test.planes, extents.x, extents.y, extents.z]
    let result = builder.output(domain.elementCount, dtype.lane.dtype)
    builder.step(
      .pooling(
        Pooling(
          kind: kind, pass: pass, countsPadding: counts, planes: test.planes, input: test.input,
          window: test.window, output: test.output, stride: test.stride, padding: test.padding,
          dilation: test.dilation, left: left, right: right, dtype: dtype,
          epilogue: .plain(domain, lane: dtype.lane, into: result))))
    return try builder.run(on: cpu(simd: simd))[0]
  }

  @Test(arguments: cases.indices, [DType.float32, .float64, .float16, .int32])
  func maximaMatchScalarCode(number: Int, dtype: DType) throws {
    let test = Self.cases[number]
    var random = TestNumbers(seed: 61)
    let (inputCount, outputCount) = (
      test.planes * test.input.wrappedProduct, test.planes * test.output.wrappedProduct
    )
    var x = random.integers(inputCount, -6...6)
    if dtype.isFloatingPoint { x[inputCount / 2] = .nan }
    let gradient = random.integers(outputCount, -9...9)
    let values = random.integers(inputCount, -9...9)
    var forward = [Double](repeating: 0, count: outputCount)
    var selected = forward
    var backward = [Double](repeating: 0, count: inputCount)
    windows(test) { result, pixels in
      let position = best(pixels, x)
      forward[result] = x[position]
      selected[result] = values[position]
      backward[position] += gradient[result]
    }
    for simd in availableSets {
      let results = try [
        run(test, .maximum, .forward, x, nil, counts: true, dtype: dtype, simd: simd),
        run(test, .maximum, .select, x, values, counts: true, dtype: dtype, simd: simd),
        run(test, .maximum, .backward, x, gradient, counts: true, dtype: dtype, simd: simd),
      ]
      for (result, expected) in zip(results, [forward, selected, backward]) {
        #expect(zip(result, expected).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) })
        #expect(result.count == expected.count)
      }
    }
  }

  @Test(arguments: cases.indices, [false, true])
  func averages(number: Int, counts: Bool) throws {
    let test = Self.cases[number]
    var random = TestNumbers(seed: 63)
    let x = random.integers(test.planes * test.input.wrappedProduct, -6...6)
    let gradient = random.integers(test.planes * test.output.wrappedProduct, -9...9)
    var forward = gradient
    var backward = [Double](repeating: 0, count: x.count)
    windows(test) { result, pixels in
      let size = Double(counts ? test.window.wrappedProduct : pixels.count)
      forward[result] = pixels.reduce(0) { $0 + x[$1] } / size
      for position in pixels { backward[position] += gradient[result] / size }
    }
    let y = try run(test, .average, .forward, x, nil, counts: counts, dtype: .float64, simd: nil)
    let g = try run(test, .average, .backward, gradient, nil, counts: counts, dtype: .float64, simd: nil)
    for (a, b) in zip(y + g, forward + backward) { #expect(abs(a - b) < 1e-12) }
  }
}
