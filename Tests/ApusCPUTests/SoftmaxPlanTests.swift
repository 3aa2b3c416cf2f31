import Apus
import ApusTestSupport
import Testing

@testable import ApusCPU

/// The planner turns `softmax` and `logSumExp` into the sequence of steps that the CPU fuses into one pass over rows.
@Suite struct SoftmaxPlanTests {
  private func pattern(_ operation: (Tensor) -> Tensor) throws -> SoftmaxPattern? {
    let device = RecordingDevice()
    try withDevice(ComputeDevice(backend: device)) { () throws in
      let x = Tensor.ones([64, 48])
      try eval(x)
      try eval(operation(x))
    }
    let steps = try #require(device.plans.last).steps.map(\.step)
    return SoftmaxPattern(steps, isLast: { _, _ in true }, mayAlias: { _, _ in false })
  }

  @Test func operationsHaveThePattern() throws {
    #expect(try pattern { $0.softmax() }?.quotients != nil)
    #expect(try pattern { $0.logSumExp(axis: 1) }?.shift != nil)
    #expect(try pattern { $0.max(axis: 1) } == nil)
  }
}
