import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusCPU

@Suite struct RecurrentTests {
  @Test(arguments: availableSets, RecurrentStepCase.all) func bothPasses(_ simd: String, _ item: RecurrentStepCase)
    throws
  {
    let problems = try item.problems(on: try CPUDevice(threadCount: 2, simd: simd, memoryLimit: 1 << 28))
    #expect(problems.isEmpty, "\(problems)")
  }
}
