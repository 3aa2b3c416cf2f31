import ApusDevice
import ApusGPU
import ApusTestSupport
import Testing

@DeviceThread @Suite struct RecurrentTests {
  @Test(arguments: RecurrentStepCase.all) func bothPasses(_ item: RecurrentStepCase) throws {
    for pass in item.passes { try CUDADump.write(item.plan(pass)) }
    for (kernelClass, device) in Harness.devices {
      let problems = try item.problems(on: device)
      #expect(problems.isEmpty, "\(kernelClass): \(problems)")
    }
  }
}
