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
        dtype.isFloatingPoint ? numbers.array(count) : numbers.integers(count, -9..<10)
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
            factorDtype: factorDtype,
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

  /// Runs a product with one of the tiles and both orders of threads. Returns what is wrong; `nil` if nothing is.
  private func fault(
    in product: Product, _ tile: MatrixTile, on device: GPUDevice<CheckedDriver<CUDADriver>>
  ) throws -> String? {
    let (builder, expected) = product.build()
    let problem = try #require(device.lower(builder.plan, TuningTable()).decisions.first).problem
    var choices = TuningTable()
    choices[problem] = tile.description
    #expect(try device.lower(builder.plan, choices).launches.map(\.localSize) == [MatrixTile.items])
    defer { try? CUDAStandIn.setOrder(isReversed: false) }
    try CUDADump.write(builder.plan, choices, capabilities: [90])
    let results = try [false, true].map { isReversed in
      try CUDAStandIn.setOrder(isReversed: isReversed)
      return try builder.run(on: device) { try device.executable(of: $0, choices) }[0]
    }
    for (value, expected) in zip(results[0], expected) {
      let bound = 4 * Double(max(1, product.k)).squareRoot() * 0x1p-24 * expected.size
      guard abs(value - expected.sum) <= bound else { return "\(value) instead of \(expected.sum)" }
    }
    return results[0] == results[1] ? nil : "the order of threads changes the result"
  }

  private func check(_ product: Product, _ tile: MatrixTile) throws {
    if let fault = try fault(in: product, tile, on: Self.device) { Issue.record("\(product) \(tile): \(fault)") }
  }

  /// All orders of the factors' elements, with sizes up to 3 beyond a tile in each dimension.
  @Test(
    arguments: MatrixTile.all.map { ($0, DType.bfloat16) }
      + [.float16, .int8].map { (MatrixTile(64, 64, stages: 4), $0) })
  func products(tile: MatrixTile, dtype: DType) throws {
    // Terms of all stages but one.
    let depth = MatrixTile.stepWordCount * 4 / dtype.byteCount * (tile.stages - 1)
    for (rows, columns, terms) in [(0, 0, 0), (1, 2, 3), (2, 3, 1), (3, 1, 2), (16, 32, 16)] {
      for order in 0..<4 {
        for isAligned in rows % 16 == 0 ? [true] : [false, true] {
          try check(
            Product(
              m: tile.rows + rows, n: tile.columns + columns, k: depth + terms, isLeftTransposed: order % 2 == 1,
              isRightTransposed: order / 2 == 1, dtype: dtype, isAligned: isAligned), tile)
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

  /// Factors that are stored as float32, but are already rounded to 16 bits.
  @Test(arguments: [DType.bfloat16, .float16]) func roundedFactors(dtype: DType) throws {
    for order in 0..<4 {
      try check(
        Product(
          m: 66, n: 70, k: 35, isLeftTransposed: order % 2 == 1, isRightTransposed: order / 2 == 1, dtype: .float32,
          factorDtype: dtype, isAligned: true), MatrixTile(64, 64, stages: 4))
    }
  }

  /// Kernels with a planted fault: a wrong position of an element in a register, a missing barrier, a missing wait for
  /// copies, and wrong banks of local memory.
  @Test(
    .enabled(if: !CUDAStandIn.isReplaced, "only the stand-in finds all of these faults"),
    arguments: [
      ("b[j / 2][j % 2], b[j / 2][j % 2 + 2]", "b[j / 2][j % 2 + 2], b[j / 2][j % 2]"), ("lane / 4;", "lane % 8;"),
      ("COPY_ASYNC_WAIT(4 - 2);\n      BARRIER();", "COPY_ASYNC_WAIT(4 - 2);"),
      ("COPY_ASYNC_WAIT(4 - 2)", "COPY_ASYNC_WAIT(4 - 1)"), ("lane / 8 % 2 * 8", "lane / 16 * 8"),
      ("(across / 8 ^ along % 8)", "(across / 8 ^ along % 4)"),
    ])
  func plantedFaultsAreFound(original: String, fault planted: String) throws {
    var options = GPUOptions.environment
    options.cacheDirectory = nil
    let device = try GPUDevice(
      driver: CheckedDriver(
        CUDAStandIn.driver(),
        alter: { text in
          #expect(text.contains(original))
          return text.replacingOccurrences(of: original, with: planted)
        }), options: options)
    let product = Product(
      m: 70, n: 66, k: 130, isLeftTransposed: false, isRightTransposed: false, dtype: .bfloat16, isAligned: true)
    #expect(try fault(in: product, MatrixTile(64, 64, stages: 4), on: device) != nil)
  }
}
