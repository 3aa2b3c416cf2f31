import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusGPU

/// The kernels that use wgmma (warpgroup MMA) and TMA, on the stand-in for CUDA, compared with sums in float64 in two
/// modes of the stand-in (see `MatrixTileTests`).
@DeviceThread @Suite(.enabled(if: !Harness.isSimulator, "the simulator runs OpenCL kernels"))
struct WarpgroupTileTests {
  private static let device = Harness.openCUDA()

  private func check(_ product: MatrixProduct, _ tile: WarpgroupTile) throws {
    guard let fault = try product.fault(tile, localSize: tile.items, on: Self.device) else { return }
    Issue.record("\(product) \(tile): \(fault)")
  }

  /// All combinations of row-major and column-major factors, with sizes up to 3 beyond a tile in each dimension.
  @Test(arguments: WarpgroupTile.all.map { ($0, DType.bfloat16) } + [(WarpgroupTile.all[0], .float16)])
  func products(tile: WarpgroupTile, dtype: DType) throws {
    // As many steps as stages. With further terms, there is one more step, which uses the first stage again.
    let depth = 64 * tile.stages
    for (rows, columns, terms) in [(0, 0, 0), (1, 2, 3), (2, 3, 1), (3, 1, 2)] {
      for order in 0..<4 {
        try check(
          MatrixProduct(
            m: tile.rows + rows, n: tile.columns + columns, k: depth + terms, isLeftTransposed: order % 2 == 1,
            isRightTransposed: order / 2 == 1, dtype: dtype, isAligned: true), tile)
      }
    }
  }

  /// Products with fewer results than a tile, fewer steps than stages, several tiles, or a batch.
  @Test func otherSizes() throws {
    for (m, n, k) in [(64, 64, 64), (65, 200, 70), (300, 70, 130)] {
      for order in 0..<4 {
        for (batch, sharesRight) in [(0, false), (3, false), (2, true)] {
          try check(
            MatrixProduct(
              batch: batch, m: m, n: n, k: k, isLeftTransposed: order % 2 == 1, isRightTransposed: order / 2 == 1,
              sharesRight: sharesRight, dtype: .bfloat16, isAligned: true), WarpgroupTile(128, 128, stages: 4))
        }
      }
    }
  }

  /// Long sums for few results are split into parts (split-K), which a second kernel adds.
  @Test func splitSums() throws {
    for order in 0..<4 {
      let product = MatrixProduct(
        batch: order, m: 66, n: 72, k: 2304, isLeftTransposed: order % 2 == 1, isRightTransposed: order / 2 == 1,
        dtype: .bfloat16, isAligned: true)
      #expect(try Self.device.lower(product.build().plan.plan, TuningTable()).launches.count == 2)
      try check(product, WarpgroupTile(128, 128, stages: 4))
    }
  }

  /// TMA cannot copy rows that do not begin at multiples of 16 bytes, so kernels without wgmma compute these products.
  @Test func otherKernelsComputeUnalignedProducts() throws {
    let product = MatrixProduct(
      m: 130, n: 131, k: 133, isLeftTransposed: false, isRightTransposed: false, dtype: .bfloat16, isAligned: false)
    let tile = MatrixTile(64, 64, stages: 4)
    #expect(try product.fault(tile, localSize: tile.items, on: Self.device) == nil)
  }

  /// The same plan runs again and again with newly allocated memory, whose addresses the tensor maps must get.
  @Test func tensorMapsFollowTheMemory() throws {
    let product = MatrixProduct(
      m: 70, n: 80, k: 64, isLeftTransposed: false, isRightTransposed: true, dtype: .bfloat16, isAligned: true)
    let (builder, expected) = product.build()
    let executable = try Self.device.prepare(builder.plan)
    for _ in 0..<5 {
      let found = try builder.run(on: Self.device) { _ in executable }[0]
      #expect(zip(found, expected).allSatisfy { abs($0 - $1.sum) <= 0x1p-18 * $1.size })
    }
  }

  /// Kernels with a planted fault: a wrong parity of an mbarrier, a stage that is released too early, a missing wait
  /// for wgmma, a wrong stride in a matrix descriptor, a wrong row of the results, and a missing barrier before the
  /// sums overwrite the factors in local memory.
  @Test(
    .enabled(if: !CUDAStandIn.isReplaced, "only the stand-in finds all of these faults"),
    arguments: [
      PlantedFault("int stage = 0;\n      int parity = 1;", "int stage = 0;\n      int parity = 0;"),
      PlantedFault(
        "stage = 0;\n        parity ^= 1;\n      }\n    }\n    WGMMA_WAIT(0);",
        "stage = 0;\n      }\n    }\n    WGMMA_WAIT(0);"),
      PlantedFault("MBARRIER_ARRIVE(empty + (stage == 0 ? 4 : stage) - 1)", "MBARRIER_ARRIVE(empty + stage)"),
      PlantedFault("WGMMA_WAIT(0);\n", "\n"), PlantedFault("1024, WGMMA_128B)", "512, WGMMA_128B)"),
      PlantedFault("i / 2 % 2 * 8", "i % 2 * 8"), PlantedFault("NAMED_BARRIER(1, 2 * 128);", ""),
    ])
  func plantedFaultsAreFound(fault: PlantedFault) async throws {
    // Some faults lose the device, which the process then cannot use again.
    await #expect(processExitsWith: .success) {
      [original = fault.original as String, planted = fault.planted as String] in
      try await WarpgroupTileTests.expectFault(original, planted)
    }
  }

  private static func expectFault(_ original: String, _ planted: String) throws {
    let product = MatrixProduct(
      m: 130, n: 66, k: 64 * 9, isLeftTransposed: false, isRightTransposed: false, dtype: .bfloat16, isAligned: true)
    let tile = WarpgroupTile(128, 128, stages: 4)
    let device = try PlantedFault(original, planted).device()
    do {
      #expect(try product.fault(tile, localSize: tile.items, on: device, modes: CUDAStandIn.Mode.all) != nil)
    } catch DeviceError.lost {
      // For example, threads wait for an mbarrier whose phase never completes.
    }
  }
}
