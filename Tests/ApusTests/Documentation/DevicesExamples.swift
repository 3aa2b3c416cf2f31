import Apus
import Testing

/// The Swift examples of Documentation/Devices.md, word for word. `BookTests` compares them.
@Suite struct DevicesExamples {
  @Test func openCL() throws {
    // example
    let gpu = try ComputeDevice.named("opencl:0")
    try withDevice(gpu) {
      print(try Tensor.ones([2, 2]).matmul(Tensor.ones([2, 2])).array())
    }
    // end
    #expect(gpu.info.kind == .opencl)
  }
}
