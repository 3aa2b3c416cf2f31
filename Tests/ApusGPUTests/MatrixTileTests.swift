import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusGPU

/// Matrix products with matrix units (`mma`, see `prelude/matrix.h`), on the stand-in for CUDA, compared with sums in
/// float64. Each product runs in two modes of the stand-in. In one, the threads of a block run in ascending order, and
/// a copy to local memory completes (lands) when a thread waits for it. In the other, the threads run in descending
/// order, and a copy completes as soon as it starts. If no barrier orders an access to local memory, or a copy
/// overwrites what other threads still read, the results differ.
@DeviceThread @Suite(.enabled(if: !Harness.isSimulator, "the simulator runs OpenCL kernels"))
struct MatrixTileTests {
  /// Without wgmma, which would otherwise compute some of the products.
  private static let device = Harness.openCUDA { $0.hasWarpgroups = false }

  private func check(_ product: MatrixProduct, _ tile: MatrixTile) throws {
    guard let fault = try product.fault(tile, localSize: tile.items, on: Self.device) else { return }
    Issue.record("\(product) \(tile): \(fault)")
  }

  /// All combinations of row-major and column-major factors, with sizes of whole and partial tiles.
  @Test(
    arguments: MatrixTile.all.map { ($0, MatrixFormat.bfloat16) }
      + [.float16, .int8, .tf32, .tf32x3].map { (MatrixTile(64, 64, stages: 4), $0) }
      + MatrixTile.simt.map { ($0, .float32) })
  func products(tile: MatrixTile, format: MatrixFormat) throws {
    // The terms of `stages - 1` steps: those that the kernel copies before its first step.
    let depth = MatrixTile.stepWordCount * 4 / format.dtype.byteCount * (tile.stages - 1)
    for (rows, columns, terms) in [(0, 0, 0), (1, 2, 3), (2, 3, 1), (3, 1, 2), (16, 32, 16)] {
      for order in 0..<4 {
        for isAligned in rows % 16 == 0 || format == .float32 ? [true] : [false, true] {
          try check(
            MatrixProduct(
              m: tile.rows + rows, n: tile.columns + columns, k: depth + terms, isLeftTransposed: order % 2 == 1,
              isRightTransposed: order / 2 == 1, dtype: format.dtype, inputPrecision: format.inputPrecision,
              isAligned: isAligned), tile)
        }
      }
    }
  }

  /// Products with few results. All but the last have fewer terms than the kernel copies before its first step.
  @Test func smallProducts() throws {
    for (m, n, k) in [(1, 1, 1), (3, 70, 31), (64, 2, 33), (17, 16, 64), (5, 9, 200)] {
      for order in 0..<4 {
        try check(
          MatrixProduct(
            m: m, n: n, k: k, isLeftTransposed: order % 2 == 1, isRightTransposed: order / 2 == 1, dtype: .bfloat16,
            isAligned: false), MatrixTile(64, 64, stages: 4))
      }
    }
  }

  /// With `float32` factors, each sum is one chain of multiply-adds over the terms in ascending order, so the results
  /// have the same bits as those of `matmul/tiled.cl`.
  @Test func float32SumsHaveTheBitsOfTiledProducts() throws {
    let tiled = Harness.openCUDA { $0.hasMatrixUnits = false }
    for order in 0..<4 {
      let plan = MatrixProduct(
        batch: 2, m: 70, n: 66, k: 230, isLeftTransposed: order % 2 == 1, isRightTransposed: order / 2 == 1,
        dtype: .float32, isAligned: true
      ).build().plan
      #expect(try plan.run(on: Self.device)[0] == plan.run(on: tiled)[0])
      let launches = try [Self.device, tiled].map { try $0.lower(plan.plan, TuningTable()).launches[0].kernel.name }
      #expect(launches[0].contains("matmul_simt") && launches[1].contains("matmul_tiled"), "\(launches)")
    }
  }

  /// Long sums for few results are split into parts (split-K), which a second kernel adds.
  @Test(arguments: [MatrixFormat.bfloat16, .int8, .tf32]) func splitSums(format: MatrixFormat) throws {
    for (k, order) in zip([2048, 4100, 5003, 8192], 0..<4) {
      let product = MatrixProduct(
        m: 66, n: 35, k: k, isLeftTransposed: order % 2 == 1, isRightTransposed: order / 2 == 1, dtype: format.dtype,
        inputPrecision: format.inputPrecision, isAligned: order < 2)
      #expect(try Self.device.lower(product.build().plan.plan, TuningTable()).launches.count == 2)
      try check(product, MatrixTile(64, 64, stages: 4))
    }
  }

  /// Factors that are stored as float32 and whose values are exact in 16 bits. The kernel converts them to 16 bits.
  @Test(arguments: [DType.bfloat16, .float16]) func roundedFactors(dtype: DType) throws {
    for order in 0..<4 {
      try check(
        MatrixProduct(
          m: 66, n: 70, k: 35, isLeftTransposed: order % 2 == 1, isRightTransposed: order / 2 == 1, dtype: .float32,
          factorDtype: dtype, isAligned: true), MatrixTile(64, 64, stages: 4))
    }
  }

  /// An infinite factor gives an infinite sum with TF32, and NaN with the three TF32 products of `tf32x3`. A NaN gives
  /// NaN.
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
  /// copies, a wrong swizzle of local memory, and for TF32 a missing rounding and a missing product.
  @Test(
    .enabled(if: !CUDAStandIn.isReplaced, "only the stand-in finds all of these faults"),
    arguments: [
      PlantedFault("b[j / 2][j % 2], b[j / 2][j % 2 + 2]", "b[j / 2][j % 2 + 2], b[j / 2][j % 2]"),
      PlantedFault("lane / 4;", "lane % 8;"),
      PlantedFault("COPY_ASYNC_WAIT(4 - 2);\n      BARRIER();", "COPY_ASYNC_WAIT(4 - 2);"),
      PlantedFault("COPY_ASYNC_WAIT(4 - 2)", "COPY_ASYNC_WAIT(4 - 1)"),
      PlantedFault("lane / 8 % 2 * 8", "lane / 16 * 8"),
      PlantedFault("(across / 8 ^ along % 8)", "(across / 8 ^ along % 4)"),
      PlantedFault("along / 4 ^ across / 2 % 4", "along / 4 ^ across % 4", .float32),
      PlantedFault("a[q][r]", "a[r][q]", .float32),
      PlantedFault("COPY_ASYNC_WAIT(4 - 2)", "COPY_ASYNC_WAIT(4 - 1)", .float32),
      PlantedFault("r[i] = ptx_tf32(AS_F(r[i]));", ";", .tf32),
      PlantedFault("q % 2 * 8", "q / 2 * 8", .tf32),
      PlantedFault("MMA_tf32(block, a + 4, ", "if (0) MMA_tf32(block, a, ", .tf32x3),
    ])
  func plantedFaultsAreFound(fault: PlantedFault) throws {
    #expect(try result(of: fault, modes: CUDAStandIn.Mode.all) != nil)
  }

  /// A kernel that overwrites local memory too early: it copies the factors of a later step to the stage that other
  /// warps still read. The results are right if copies complete when a thread waits for them, and wrong if copies
  /// complete as soon as they start.
  @Test(.enabled(if: !CUDAStandIn.isReplaced, "only the stand-in finds all of these faults"))
  func earlyCopiesAreFound() throws {
    // The factors of step `step + 4` are copied to the stage of the current step.
    let fault = PlantedFault(
      "for (int step = 1 - 4; step < steps; step += 1) {\n    const int copied = step + 4 - 1;",
      "for (int step = -4; step < steps; step += 1) {\n    const int copied = step + 4;")
    #expect(try result(of: fault, modes: CUDAStandIn.Mode.all.filter { !$0.copiesLandAtOnce }) == nil)
    #expect(try result(of: fault, modes: CUDAStandIn.Mode.all) != nil)
  }

  /// What is wrong with a product whose kernel has a fault.
  private func result(of fault: PlantedFault, modes: [CUDAStandIn.Mode]) throws -> String? {
    let device = try fault.device { $0.hasWarpgroups = false }
    let product = MatrixProduct(
      m: 70, n: 66, k: 230, isLeftTransposed: false, isRightTransposed: false, dtype: fault.format.dtype,
      inputPrecision: fault.format.inputPrecision, isAligned: true)
    let tile = MatrixTile(64, 64, stages: 4)
    return try product.fault(tile, localSize: tile.items, on: device, modes: modes)
  }
}
