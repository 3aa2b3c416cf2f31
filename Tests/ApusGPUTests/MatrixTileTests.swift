import ApusDevice
import ApusTestSupport
import Foundation
import Testing

@testable import ApusGPU

/// The kernels for matrix units, on the stand-in for CUDA, compared with sums in float64. Each product runs twice: the
/// threads of a block run in ascending and then in descending order. If an access to local memory is not ordered by a
/// barrier, the results differ.
@DeviceThread @Suite(.enabled(if: !Harness.isSimulator, "the simulator runs OpenCL kernels"))
struct MatrixTileTests {
  private static let device = Harness.openCUDA()

  /// A product with factors in row-major or column-major order.
  private struct Product {
    var m, n, k: Int
    var isLeftTransposed, isRightTransposed: Bool
    var dtype: DType
    /// The type to which the factors are rounded, if it is not `dtype`.
    var factorDtype: DType?
    var inputPrecision = InputPrecision.float32
    /// Whether rows of factors begin at multiples of 16 elements, so that they can be copied 16 bytes at a time.
    var isAligned: Bool

    private func layout(_ rows: Int, _ columns: Int, _ isTransposed: Bool) -> Layout {
      let length = isTransposed ? rows : columns
      let pitch = isAligned ? (length + 15) / 16 * 16 : length
      return Layout(shape: [rows, columns], strides: isTransposed ? [1, pitch] : [pitch, 1])
    }

    /// The plan, and for each element the expected sum and the sum of the magnitudes of its terms.
    func build() -> (plan: PlanBuilder, expected: [(sum: Double, size: Double)]) {
      var numbers = Numbers(seed: 11)
      let (left, right) = (layout(m, k, isLeftTransposed), layout(k, n, isRightTransposed))
      func array(_ count: Int) -> [Double] {
        guard dtype.isFloatingPoint else { return numbers.integers(count, -9..<10) }
        // For TF32, numbers that are not exact in it.
        return numbers.array(count).map { inputPrecision == .float32 ? $0 : Double(Float($0 * 1.000_456_7)) }
      }
      let (a, b) = (array(left.positions.max()! + 1), array(right.positions.max()! + 1))
      let bias = array(n)
      let lane = dtype.lane
      var builder = PlanBuilder()
      let (leftValue, rightValue) = (builder.input(a, dtype), builder.input(b, dtype))
      let biasValue = builder.input(bias, lane.dtype)
      let result = builder.output(m * n, lane.dtype)
      let domain: Shape = [m, n]
      builder.step(
        .matmul(
          Matmul(
            batch: [], m: m, n: n, k: k, a: Operand(value: leftValue, layout: left),
            b: Operand(value: rightValue, layout: right), dtype: dtype,
            factorDtype: factorDtype, inputPrecision: inputPrecision,
            epilogue: epilogue(
              lane, Operand(value: result, layout: Layout(contiguous: domain)), domain: domain,
              bias: Operand(value: biasValue, layout: Layout(contiguous: [n]).broadcast(to: domain))))))
      let expected = Grid.indices(domain).map { index in
        var (sum, size) = (bias[index[1]], abs(bias[index[1]]))
        for t in 0..<k {
          let term =
            a[index[0] * left.strides[0] + t * left.strides[1]] * b[t * right.strides[0] + index[1] * right.strides[1]]
          sum += term
          size += abs(term)
        }
        return (max(0, sum), size)
      }
      return (builder, expected)
    }
  }

  /// The allowed error of a sum, divided by the sum of the magnitudes of its terms.
  private func tolerance(of product: Product) -> Double {
    // The errors of two factors, and of the sum.
    let ofTerms: Double =
      switch product.inputPrecision {
      case .float32: 0
      case .tf32: 2.01 * 0x1p-11
      case .tf32x3: 0x1p-20
      }
    return ofTerms + 4 * Double(max(1, product.k)).squareRoot() * 0x1p-24
  }

  /// Runs a product with one of the tiles and both orders of threads. Returns what is wrong; `nil` if nothing is.
  private func fault(
    in product: Product, _ tile: MatrixTile, on device: GPUDevice<CheckedDriver<CUDADriver>>
  ) throws -> String? {
    let (builder, expected) = product.build()
    let problem = try #require(device.lower(builder.plan, TuningTable()).decisions.first).problem
    var choices = TuningTable()
    choices[problem] = tile.description
    #expect(try device.lower(builder.plan, choices).launches.first?.localSize == tile.items)
    defer { try? CUDAStandIn.setOrder(isReversed: false) }
    try CUDADump.write(builder.plan, choices, capabilities: [90])
    let results = try [false, true].map { isReversed in
      try CUDAStandIn.setOrder(isReversed: isReversed)
      return try builder.run(on: device) { try device.executable(of: $0, choices) }[0]
    }
    for (value, expected) in zip(results[0], expected) {
      guard abs(value - expected.sum) <= tolerance(of: product) * expected.size else {
        return "\(value) instead of \(expected.sum)"
      }
    }
    return results[0] == results[1] ? nil : "the order of threads changes the result"
  }

  private func check(_ product: Product, _ tile: MatrixTile) throws {
    if let fault = try fault(in: product, tile, on: Self.device) { Issue.record("\(product) \(tile): \(fault)") }
  }

  /// All orders of the factors' elements, with sizes up to 3 beyond a tile in each dimension.
  @Test(
    arguments: MatrixTile.all.map { ($0, MatrixFormat.bfloat16) }
      + [.float16, .int8, .tf32, .tf32x3].map { (MatrixTile(64, 64, stages: 4), $0) })
  func products(tile: MatrixTile, format: MatrixFormat) throws {
    // Terms of all stages but one.
    let depth = MatrixTile.stepWordCount * 4 / format.dtype.byteCount * (tile.stages - 1)
    for (rows, columns, terms) in [(0, 0, 0), (1, 2, 3), (2, 3, 1), (3, 1, 2), (16, 32, 16)] {
      for order in 0..<4 {
        for isAligned in rows % 16 == 0 ? [true] : [false, true] {
          try check(
            Product(
              m: tile.rows + rows, n: tile.columns + columns, k: depth + terms, isLeftTransposed: order % 2 == 1,
              isRightTransposed: order / 2 == 1, dtype: format.dtype, inputPrecision: format.inputPrecision,
              isAligned: isAligned), tile)
        }
      }
    }
  }

  /// Products with fewer terms than the kernel copies before its first step, and with few results.
  @Test func smallProducts() throws {
    for (m, n, k) in [(1, 1, 1), (3, 70, 31), (64, 2, 33), (17, 16, 64), (5, 9, 200)] {
      for order in 0..<4 {
        try check(
          Product(
            m: m, n: n, k: k, isLeftTransposed: order % 2 == 1, isRightTransposed: order / 2 == 1, dtype: .bfloat16,
            isAligned: false), MatrixTile(64, 64, stages: 4))
      }
    }
  }

  /// Long sums for few results are split into parts.
  @Test(arguments: [MatrixFormat.bfloat16, .int8, .tf32]) func splitSums(format: MatrixFormat) throws {
    for (k, order) in zip([2048, 4100, 5003, 8192], 0..<4) {
      let product = Product(
        m: 66, n: 35, k: k, isLeftTransposed: order % 2 == 1, isRightTransposed: order / 2 == 1, dtype: format.dtype,
        inputPrecision: format.inputPrecision, isAligned: order < 2)
      #expect(try Self.device.lower(product.build().plan.plan, TuningTable()).launches.count == 2)
      try check(product, MatrixTile(64, 64, stages: 4))
    }
  }

  /// Factors that are stored as float32, but are already rounded to 16 bits.
  @Test(arguments: [DType.bfloat16, .float16]) func roundedFactors(dtype: DType) throws {
    for order in 0..<4 {
      try check(
        Product(
          m: 66, n: 70, k: 35, isLeftTransposed: order % 2 == 1, isRightTransposed: order / 2 == 1, dtype: .float32,
          factorDtype: dtype, isAligned: true), MatrixTile(64, 64, stages: 4))
    }
  }

  /// Infinite factors give infinite sums with TF32, and NaN with three products. NaN gives NaN.
  @Test(arguments: [InputPrecision.tf32, .tf32x3]) func infiniteFactors(precision: InputPrecision) throws {
    var builder = PlanBuilder()
    let (a, b) = ([Double.infinity, 1, -1, .nan], [2.0])
    let values = [builder.input(a, .float32), builder.input(b, .float32)]
    let result = builder.output(4, .float32)
    let domain: Shape = [4, 1]
    builder.step(
      .matmul(
        Matmul(
          batch: [], m: 4, n: 1, k: 1, a: Operand(value: values[0], layout: Layout(contiguous: [4, 1])),
          b: Operand(value: values[1], layout: Layout(contiguous: [1, 1])), dtype: .float32, inputPrecision: precision,
          epilogue: epilogue(.float32, Operand(value: result, layout: Layout(contiguous: domain)), domain: domain))))
    let found = try builder.run(on: Self.device)[0]
    #expect(precision == .tf32 ? found[0] == .infinity : found[0].isNaN, "\(found)")
    #expect(found[1] == 2 && found[2] == -2 && found[3].isNaN, "\(found)")
  }

  /// Kernels with a planted fault: a wrong position of an element in a register, a missing barrier, a missing wait for
  /// copies, wrong banks of local memory, and for TF32 a missing rounding and a missing product.
  @Test(arguments: [
    Fault("b[j / 2][j % 2], b[j / 2][j % 2 + 2]", "b[j / 2][j % 2 + 2], b[j / 2][j % 2]"),
    Fault("lane / 4;", "lane % 8;"), Fault("COPY_ASYNC_WAIT(4 - 2);\n      BARRIER();", "COPY_ASYNC_WAIT(4 - 2);"),
    Fault("COPY_ASYNC_WAIT(4 - 2)", "COPY_ASYNC_WAIT(4 - 1)"), Fault("lane / 8 % 2 * 8", "lane / 16 * 8"),
    Fault("(across / 8 ^ along % 8)", "(across / 8 ^ along % 4)"), Fault("r[i] = ptx_tf32(AS_F(r[i]));", ";", .tf32),
    Fault("q % 2 * 8", "q / 2 * 8", .tf32),
    Fault("MMA_tf32(sums[i][j], a + 4, ", "if (0) MMA_tf32(sums[i][j], a, ", .tf32x3),
  ])
  func plantedFaultsAreFound(fault: Fault) throws {
    var options = GPUOptions.environment
    options.cacheDirectory = nil
    let device = try GPUDevice(
      driver: CheckedDriver(
        CUDAStandIn.driver(),
        alter: { text in
          #expect(text.contains(fault.original))
          return text.replacingOccurrences(of: fault.original, with: fault.planted)
        }), options: options)
    let product = Product(
      m: 70, n: 66, k: 130, isLeftTransposed: false, isRightTransposed: false, dtype: fault.format.dtype,
      inputPrecision: fault.format.inputPrecision, isAligned: true)
    #expect(try self.fault(in: product, MatrixTile(64, 64, stages: 4), on: device) != nil)
  }

  /// A part of a kernel's text, and what replaces it.
  struct Fault: Sendable {
    let original, planted: String
    let format: MatrixFormat

    init(_ original: String, _ planted: String, _ format: MatrixFormat = .bfloat16) {
      (self.original, self.planted, self.format) = (original, planted, format)
    }
  }
}

extension MatrixFormat {
  fileprivate var inputPrecision: InputPrecision {
    switch self {
    case .float16, .bfloat16, .int8: .float32
    case .tf32: .tf32
    case .tf32x3: .tf32x3
    }
  }
}
