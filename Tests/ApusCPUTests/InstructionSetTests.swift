import ApusCSIMD
import Testing

@testable import ApusCPU

/// The instruction sets that this machine supports. The log of `InstructionSetTests` shows which sets are missing.
let availableSets = CPUDevice.instructionSets.filter { csimd_choose($0) != nil }

/// Opens the CPU device with each instruction set. Other tests use `availableSets`, so they leave out a set that this
/// machine lacks. The test of that set here is then reported as skipped.
@Suite struct InstructionSetTests {
  private func opens(_ simd: String) throws {
    let device = try CPUDevice(threadCount: 1, simd: simd, memoryLimit: 1 << 20)
    #expect(device.info.driver == simd)
  }

  @Test(.enabled(if: availableSets.contains("avx512"), "no test runs with AVX-512, which this processor lacks"))
  func avx512() throws { try opens("avx512") }

  @Test(.enabled(if: availableSets.contains("avx2"), "no test runs with AVX2, which this processor lacks"))
  func avx2() throws { try opens("avx2") }

  @Test func baseline() throws { try opens("baseline") }

  @Test func everySetHasATest() { #expect(CPUDevice.instructionSets == ["avx512", "avx2", "baseline"]) }
}
