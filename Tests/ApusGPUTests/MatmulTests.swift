import ApusDevice
import ApusGPU
import ApusTestSupport
import Testing

/// An epilogue with one result: `relu(core + bias)` or, without a bias, `core`, the unchanged result of the step.
func epilogue(
  _ lane: Lane, _ result: Operand, domain: Shape, bias: Operand? = nil, dtype: DType? = nil
) -> Epilogue {
  let output = dtype ?? lane.dtype
  guard let bias else {
    return Epilogue(
      program: Program(
        inputs: [.core(lane)], outputs: [Program.Output(register: 0, dtype: output)]),
      binding: Binding(domain: domain, arguments: [.core(0)], results: [result]))
  }
  let program = Program(
    inputs: [.core(lane), .tensor(lane.dtype)],
    instructions: [
      Instruction(.add, lane: lane, operands: [0, 1]),
      Instruction(.constant, lane: lane, operands: [], immediate: .integer(0)),
      Instruction(.maximum, lane: lane, operands: [2, 3]),
    ], outputs: [Program.Output(register: 4, dtype: output)])
  return Epilogue(
    program: program,
    binding: Binding(domain: domain, arguments: [.core(0), .tensor(bias)], results: [result]))
}

@DeviceThread @Suite struct MatmulTests {
  struct Case: CustomTestStringConvertible {
    var batch: [Int] = []
    var m, n, k: Int
    var isLeftTransposed = false
    var isRightTransposed = false
    var dtype = DType.float32
    var hasBias = false
    /// Whether all products of the batch share the right operand.
    var sharesRight = false
    var testDescription: String {
      "\(batch)×\(m)x\(n)x\(k) \(isLeftTransposed ? "T" : "N")\(isRightTransposed ? "T" : "N") \(dtype)"
    }
  }

  nonisolated static let cases = [
    Case(m: 1, n: 1, k: 1), Case(m: 128, n: 10, k: 84, isRightTransposed: true, hasBias: true),
    Case(m: 13, n: 64, k: 37, isLeftTransposed: true), Case(m: 3, n: 130, k: 65, hasBias: true),
    Case(m: 130, n: 33, k: 20, isLeftTransposed: true, isRightTransposed: true),
    Case(m: 64, n: 64, k: 64), Case(m: 5, n: 7, k: 0), Case(m: 150, n: 160, k: 300),
    Case(batch: [2, 3], m: 17, n: 19, k: 23, isRightTransposed: true, sharesRight: true),
    Case(batch: [4], m: 12, n: 32, k: 16, isLeftTransposed: true, hasBias: true),
    Case(m: 20, n: 40, k: 30, dtype: .float16), Case(m: 20, n: 40, k: 30, isRightTransposed: true, dtype: .bfloat16),
    Case(m: 20, n: 40, k: 30, isLeftTransposed: true, dtype: .int8),
    Case(m: 9, n: 21, k: 33, dtype: .int32), Case(m: 9, n: 21, k: 33, dtype: .int64),
    Case(m: 14, n: 40, k: 33, isLeftTransposed: true, dtype: .float64),
    // Dot products of rows; a single row; partial sums that are stored and loaded again, for large k.
    Case(m: 1, n: 1000, k: 66, isRightTransposed: true, hasBias: true), Case(m: 1, n: 300, k: 230),
    Case(batch: [2], m: 3, n: 1000, k: 70, isRightTransposed: true), Case(m: 3, n: 300, k: 230),
    Case(m: 1, n: 1001, k: 70, isRightTransposed: true, dtype: .float16),
    Case(m: 270, n: 64, k: 600, isLeftTransposed: true, hasBias: true), Case(m: 20, n: 32, k: 2100),
    Case(m: 4000, n: 256, k: 400, isLeftTransposed: true), Case(m: 1024, n: 1024, k: 510, isLeftTransposed: true),
    Case(m: 5, n: 7, k: 0, dtype: .float16),
    // 16-bit factors that are converted as they are read: along rows, across rows, and in several ranges of k.
    Case(m: 13, n: 64, k: 37, isLeftTransposed: true, dtype: .float16), Case(m: 1, n: 1024, k: 70, dtype: .float16),
    Case(m: 20, n: 192, k: 400, dtype: .bfloat16),
    // Panels (columns of the right factor) that each work-item packs, from row-major and from column-major factors.
    Case(m: 64, n: 330, k: 900, hasBias: true), Case(m: 50, n: 600, k: 500, isLeftTransposed: true, dtype: .float16),
    Case(m: 900, n: 80, k: 1100, isRightTransposed: true, hasBias: true),
    Case(batch: [2], m: 60, n: 70, k: 1000, isLeftTransposed: true, isRightTransposed: true, dtype: .bfloat16),
    // Panels that are read in place; the last panel extends past the end of the row.
    Case(m: 256, n: 120, k: 100), Case(m: 20, n: 61, k: 300, isLeftTransposed: true),
  ]

  /// Each element of the result, with bias and ReLU if the case has a bias, and the sum of the magnitudes of its terms
  /// without the bias.
  private func expected(_ item: Case, _ a: [Double], _ b: [Double], _ bias: [Double]) -> [(sum: Double, size: Double)] {
    Grid.indices(Shape([item.batch.reduce(1, *), item.m, item.n])).map { index in
      let (batch, m, n) = (index[0], index[1], index[2])
      var (sum, size) = (0.0, 1e-30)
      for k in 0..<item.k {
        let position = item.isLeftTransposed ? k * item.m + m : m * item.k + k
        let other = item.isRightTransposed ? n * item.k + k : k * item.n + n
        let term = a[batch * item.m * item.k + position] * b[(item.sharesRight ? 0 : batch * item.k * item.n) + other]
        sum += term
        size += abs(term)
      }
      return (item.hasBias ? max(0, sum + bias[n]) : sum, size)
    }
  }

  /// Cases that the simulator finishes in seconds. GPU kernels compute whole tiles, often of 64 × 64 elements, also for
  /// smaller products.
  nonisolated private static let smallCases = cases.filter { item in
    let tiled = max(item.m, 64) * max(item.n, 64) * item.k
    return item.m * item.n * item.k <= 100_000 && (Harness.classes != [.gpu] || tiled <= 1_000_000)
  }

  @Test(arguments: Harness.isSimulator ? smallCases : cases)
  func product(_ item: Case) throws {
    let batches = item.batch.reduce(1, *)
    let lane = item.dtype.lane
    var numbers = Numbers(seed: 7)
    let isInteger = !item.dtype.isFloatingPoint
    func array(_ count: Int) -> [Double] { isInteger ? numbers.integers(count, -9..<10) : numbers.array(count) }
    let a = array(batches * item.m * item.k)
    let b = array((item.sharesRight ? 1 : batches) * item.k * item.n)
    let bias = array(item.n)
    func layout(_ rows: Int, _ columns: Int, _ isTransposed: Bool, shared: Bool) -> Layout {
      let rank = item.batch.count
      let shape = Shape(item.batch + (isTransposed ? [columns, rows] : [rows, columns]))
      var layout = Layout(contiguous: shape)
      if shared { for axis in 0..<rank { layout.strides[axis] = 0 } }
      return isTransposed ? layout.transposed(Array(0..<rank) + [rank + 1, rank]) : layout
    }
    let left = layout(item.m, item.k, item.isLeftTransposed, shared: false)
    let right = layout(item.k, item.n, item.isRightTransposed, shared: item.sharesRight)
    let domain = Shape(item.batch + [item.m, item.n])
    let expected = expected(item, a, b, bias)
    for (kernelClass, device) in Harness.devices {
      var builder = PlanBuilder()
      let leftValue = builder.input(a, item.dtype)
      let rightValue = builder.input(b, item.dtype)
      let biasValue = builder.input(bias, lane.dtype)
      let result = builder.output(domain.elementCount, lane.dtype)
      let biasOperand = Operand(
        value: biasValue, layout: Layout(contiguous: [item.n]).broadcast(to: domain))
      builder.step(
        .matmul(
          Matmul(
            batch: Shape(item.batch), m: item.m, n: item.n, k: item.k,
            a: Operand(value: leftValue, layout: left), b: Operand(value: rightValue, layout: right),
            dtype: item.dtype,
            epilogue: epilogue(
              lane, Operand(value: result, layout: Layout(contiguous: domain)), domain: domain,
              bias: item.hasBias ? biasOperand : nil))))
      let output = try builder.results(on: device)[0]
      var worst = 0.0
      for (index, expected) in expected.enumerated() {
        let bound = 4 * Double(max(1, item.k)).squareRoot() * 0x1p-24 * (expected.size + 2)
        worst = max(worst, abs(output[index] - expected.sum) / bound)
      }
      #expect(worst <= 1, "\(kernelClass)")
    }
  }
}
