import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusCPU

@Suite struct AttentionTests {
  @Test(arguments: availableSets, AttentionStepCase.all) func bothPasses(_ simd: String, _ item: AttentionStepCase)
    throws
  {
    let problems = try item.problems(on: try CPUDevice(threadCount: 2, simd: simd, memoryLimit: 1 << 28))
    #expect(problems.isEmpty, "\(problems)")
  }
}
