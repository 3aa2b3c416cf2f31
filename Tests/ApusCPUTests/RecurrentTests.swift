import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusCPU

@Suite struct RecurrentTests {
  /// With each instruction set, the forward and the backward pass of a recurrent layer agree with the interpreter of
  /// plans.
  @Test(arguments: availableSets, RecurrentStepCase.all) func bothPasses(_ simd: String, _ item: RecurrentStepCase)
    throws
  {
    let problems = try item.problems(on: try CPUDevice(threadCount: 2, simd: simd, memoryLimit: 1 << 28))
    #expect(problems.isEmpty, "\(problems)")
  }

  /// The batch is split among the threads. The results have the same bits for any number of threads.
  @Test(arguments: RecurrentStepCase.all) func threadsChangeNoBit(_ item: RecurrentStepCase) throws {
    let results = try [1, 2, 5].map { try item.bits(on: cpu(threads: $0)) }
    #expect(results[0] == results[1] && results[0] == results[2])
  }
}
