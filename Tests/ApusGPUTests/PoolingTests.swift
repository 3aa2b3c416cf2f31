import ApusDevice
import ApusGPU
import ApusTestSupport
import Testing

@DeviceThread @Suite struct PoolingTests {
  struct Case: CustomTestStringConvertible {
    /// The number of images times channels.
    var planes: Int
    var input: SIMD3<Int>
    var window: SIMD3<Int>
    var stride: SIMD3<Int>
    var padding = SIMD3<Int>.zero
    var dilation = SIMD3<Int>.one
    var countsPadding = true
    var dtype = DType.float32
    var testDescription: String { "\(input) by \(window) \(dtype)" }

    var output: SIMD3<Int> {
      (input &+ padding &+ padding &- dilation &* (window &- .one) &- .one) / stride &+ .one
    }
  }

  nonisolated static let cases = [
    Case(planes: 5, input: SIMD3(1, 28, 28), window: SIMD3(1, 2, 2), stride: SIMD3(1, 2, 2)),
    Case(
      planes: 3, input: SIMD3(1, 13, 37), window: SIMD3(1, 3, 3), stride: SIMD3(1, 2, 1),
      padding: SIMD3(0, 1, 1), countsPadding: false),
    Case(
      planes: 2, input: SIMD3(4, 6, 7), window: SIMD3(2, 3, 2), stride: SIMD3(1, 2, 3),
      padding: SIMD3(1, 1, 0), dilation: SIMD3(1, 1, 2), dtype: .float16),
  ]

  /// For each output element, calls `body` with the element's offset and the offsets of the input elements in the
  /// element's window, in order. Padding elements are left out.
  private func windows(_ item: Case, _ body: (Int, [Int]) -> Void) {
    let o = item.output
    for position in 0..<item.planes * o.wrappedProduct {
      let plane = position / o.wrappedProduct
      let rest = position % o.wrappedProduct
      let at = SIMD3(rest / (o.y * o.z), rest / o.z % o.y, rest % o.z) &* item.stride &- item.padding
      var elements: [Int] = []
      for tap in 0..<item.window.wrappedProduct {
        let w = item.window
        let i = at &+ SIMD3(tap / (w.y * w.z), tap / w.z % w.y, tap % w.z) &* item.dilation
        guard (0..<3).allSatisfy({ i[$0] >= 0 && i[$0] < item.input[$0] }) else { continue }
        elements.append(((plane * item.input.x + i.x) * item.input.y + i.y) * item.input.z + i.z)
      }
      body(position, elements)
    }
  }

  /// Each pass agrees with a direct computation in `Double`: the outputs, the gradients of the input and, for `select`,
  /// the elements of `v` at the positions of the maxima of `x`.
  @Test(arguments: cases.indices, [Pooling.Kind.maximum, .average])
  func passes(_ index: Int, _ kind: Pooling.Kind) throws {
    let item = Self.cases[index]
    var numbers = Numbers(seed: 11)
    let x = numbers.array(item.planes * item.input.wrappedProduct)
    let v = numbers.array(x.count)
    let gradient = numbers.array(item.planes * item.output.wrappedProduct)
    var forward = [Double](repeating: 0, count: gradient.count)
    var select = forward
    var backward = [Double](repeating: 0, count: x.count)
    windows(item) { position, elements in
      if kind == .maximum {
        let best = elements.reduce(elements[0]) { x[$1] > x[$0] ? $1 : $0 }
        forward[position] = x[best]
        select[position] = v[best]
        backward[best] += gradient[position]
      } else {
        let size = Double(item.countsPadding ? item.window.wrappedProduct : elements.count)
        forward[position] = elements.reduce(0) { $0 + x[$1] } / size
        for element in elements { backward[element] += gradient[position] / size }
      }
    }
    let inputs: [(Pooling.Pass, [Double], [Double]?, [Double])] =
      kind == .maximum
      ? [(.forward, x, nil, forward), (.backward, x, gradient, backward), (.select, x, v, select)]
      : [(.forward, x, nil, forward), (.backward, gradient, nil, backward)]
    for (kernelClass, device) in Harness.devices {
      for (pass, left, right, expected) in inputs {
        var builder = PlanBuilder()
        let leftValue = builder.input(left, item.dtype)
        let rightValue = right.map { builder.input($0, item.dtype) }
        let result = builder.output(expected.count, .float32)
        let extents = pass == .backward ? item.input : item.output
        let domain = Shape([item.planes, extents.x, extents.y, extents.z])
        builder.step(
          .pooling(
            Pooling(
              kind: kind, pass: pass, countsPadding: item.countsPadding, planes: item.planes,
              input: item.input, window: item.window, output: item.output, stride: item.stride,
              padding: item.padding, dilation: item.dilation, left: leftValue, right: rightValue,
              dtype: item.dtype,
              epilogue: epilogue(
                .float32, Operand(value: result, layout: Layout(contiguous: domain)), domain: domain))))
        let output = try builder.results(on: device)[0]
        for position in expected.indices {
          guard abs(output[position] - expected[position]) > 2e-6 else { continue }
          Issue.record("\(kernelClass) \(pass) \(position): \(output[position]), not \(expected[position])")
          break
        }
      }
    }
  }
}
