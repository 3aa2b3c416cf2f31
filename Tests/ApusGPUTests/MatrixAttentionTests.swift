import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusGPU

/// Attention with matrix units (tensor cores), on the stand-in for CUDA, compared with the reference device in two
/// modes of the stand-in (see `MatrixTileTests`).
@DeviceThread @Suite(.enabled(if: !Harness.isSimulator, "the simulator runs OpenCL kernels"))
struct MatrixAttentionTests {
  private static let device = Harness.openCUDA()

  @Test(arguments: AttentionStepCase.halfPrecision) func bothPasses(_ item: AttentionStepCase) throws {
    for pass in [Attention.Pass.forward, .backward] { try CUDADump.write(item.plan(pass), capabilities: [80]) }
    let results = try CUDAStandIn.results(in: CUDAStandIn.Mode.opposites) { mode in
      let problems = try item.problems(on: Self.device)
      #expect(problems.isEmpty, "\(mode): \(problems)")
      return try item.bits(on: Self.device)
    }
    #expect(results[0] == results[1])
  }

  /// Kernels for matrix units compute rows of up to 128 elements. Other kernels compute longer rows.
  @Test func longRowsHaveOtherKernels() throws {
    let kernels = try AttentionStepCase.halfPrecision.suffix(2).map {
      try Self.device.lower($0.plan(.forward), TuningTable()).launches[0].kernel.name
    }
    #expect(kernels[0].hasPrefix("attention_matrix_forward") && kernels[1].hasPrefix("attention_forward"), "\(kernels)")
  }

  /// Kernels with a planted fault: swapped registers, a wrong position of an element, a missing barrier, a missing wait
  /// for copies, a wrong stage, a wrong swizzle, and a maximum over too few scores.
  @Test(
    .enabled(if: !CUDAStandIn.isReplaced, "only the stand-in finds all of these faults"),
    arguments: [
      PlantedFault("a, b[0], b[2]", "a, b[2], b[0]"),
      PlantedFault("lane % 4 * 2 + i % 2", "lane % 4 + i % 2 * 4"),
      PlantedFault("COPY_ASYNC_WAIT(0);\n      BARRIER();", "COPY_ASYNC_WAIT(0);"),
      PlantedFault("COPY_ASYNC_WAIT(0);", "COPY_ASYNC_WAIT(1);"),
      PlantedFault("tiles + 2048 + step % 2 *", "tiles + 2048 + (step + 1) % 2 *"),
      PlantedFault("lane / 8 % 2) ^ (at % 8)", "lane / 8 % 2) ^ (at % 4)"),
      PlantedFault("distance < 4", "distance < 2"),
    ])
  func plantedFaultsAreFound(fault: PlantedFault) throws {
    let (item, device) = (AttentionStepCase.halfPrecision[3].forward, try fault.device())
    let results = try CUDAStandIn.results(in: CUDAStandIn.Mode.all) { _ in
      try (problems: item.problems(on: device), bits: item.bits(on: device))
    }
    #expect(results.contains { !$0.problems.isEmpty } || results.contains { $0.bits != results[0].bits })
  }
}
