import Apus
import Testing

struct BackendTests {
  @Test func namesOfAllBackendsAreKnown() {
    #expect(ComputeDevice.nameForms == ["auto", "cpu", "cuda", "cuda:N", "opencl", "opencl:N", "opencl:N.P/C"])
    for name in ["auto", "cpu", "cuda", "cuda:1", "opencl", "opencl:1", "opencl:0.1/2"] {
      #expect(ComputeDevice.isName(name), "\(name)")
    }
    for name in ["", "CPU", "cpu:0", "opencl:", "opencl:x", "cuda:0.1/2"] {
      #expect(!ComputeDevice.isName(name), "\(name)")
    }
  }

  @Test func anUnknownNameListsTheForms() {
    #expect(
      throws: DeviceError.unavailable(
        device: "gpu", reason: "the devices are auto, cpu, cuda, cuda:N, opencl, opencl:N, opencl:N.P/C")
    ) { try ComputeDevice.named("gpu") }
  }

  @Test func theCPUIsTheFirstDevice() throws {
    let listed = try #require(ComputeDevice.available().devices.first)
    #expect(listed.identifier == "cpu")
    #expect(try ComputeDevice.named("cpu").info == listed)
    #expect(try ComputeDevice.named("cpu") == ComputeDevice.named("cpu"))
  }
}
