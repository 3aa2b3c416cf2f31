import ApusDevice
import ApusGPU
import ApusTestSupport
import Testing

@DeviceThread @Suite struct AttentionTests {
  @Test(arguments: AttentionStepCase.all.filter { !Harness.isBriefSimulation || $0.isSmall })
  func bothPasses(_ item: AttentionStepCase) throws {
    for pass in [Attention.Pass.forward, .backward] { try CUDADump.write(item.plan(pass)) }
    for (kernelClass, device) in Harness.devices {
      let problems = try item.problems(on: device)
      #expect(problems.isEmpty, "\(kernelClass): \(problems)")
    }
  }

  private nonisolated static let halfPrecisionCases = AttentionStepCase.halfPrecision.filter {
    !Harness.isSimulator || $0.isSmall
  }

  /// Attention with 16-bit inputs, also on devices without matrix units.
  @Test(arguments: halfPrecisionCases) func halfPrecision(_ item: AttentionStepCase) throws {
    for (kernelClass, device) in Harness.devices {
      let problems = try item.problems(on: device)
      #expect(problems.isEmpty, "\(kernelClass): \(problems)")
    }
  }
}
