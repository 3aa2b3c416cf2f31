import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusGPU

@DeviceThread @Suite struct SubgroupTests {
  private typealias Subgroup = KernelTarget.Subgroup

  private func driver() throws -> OpenCLDriver {
    var options = GPUOptions.environment
    options.kernelClass = .gpu
    return try OpenCLDriver(try #require(OpenCLEntry.all().first), options: options)
  }

  @Test func whatTheDeviceHasNotIsNotUsed() throws {
    let driver = try driver()
    // Of 64 work-items NVIDIA's instruction reads no further than the 32nd; other devices know no such instruction.
    #expect(!driver.works(Subgroup(size: 64, access: .ptx)))
    // No device has sub-groups so large.
    #expect(!driver.works(Subgroup(size: 256, access: .khr)))
    #expect(!driver.works(Subgroup(size: 256, access: .intel)))
    #expect(driver.target.subgroup == driver.entry.subgroups.first(where: driver.works))
  }

  @Test func kernelsForCPUsHaveNone() throws {
    var options = GPUOptions.environment
    options.kernelClass = .cpu
    let driver = try OpenCLDriver(try #require(OpenCLEntry.all().first), options: options)
    #expect(driver.target.subgroup == nil)
  }

  @Test(.enabled(if: Harness.isPoCL)) func poclsDevicesHaveNone() throws {
    let driver = try driver()
    #expect(driver.entry.subgroups.isEmpty)
    #expect(driver.target.subgroup == nil)
  }

  /// Rows of few elements are reduced by sub-groups, those of many by groups, those of very few by work-items.
  @Test(arguments: [(32, false, false), (33, true, false), (1024, true, false), (1025, true, true)])
  func sizesDecideWhoReduces(_ count: Int, shifts: Bool, shares: Bool) throws {
    var builder = PlanBuilder()
    let input = builder.input([Double](repeating: 1, count: 3 * count), .float32)
    let output = builder.output(3, .float32)
    builder.step(
      .reduction(
        Reduction(
          domain: Shape([3, count]), axes: [1],
          prologue: Program(inputs: [.tensor(.float32)], outputs: [Program.Output(register: 0, dtype: .float32)]),
          arguments: [.tensor(Operand(value: input, layout: Layout(contiguous: [3, count])))], reducers: ["sum"],
          epilogue: epilogue(.float32, Operand(value: output, layout: Layout(contiguous: [3, 1])), domain: [3, 1]))))
    let text = try CUDAText.program(for: builder.plan)
    let kernel = text.split(separator: "KERNEL ").last ?? ""
    #expect(kernel.contains("SHIFT_float") == shifts)
    #expect(kernel.hasPrefix("SUBGROUPS ") == shifts)
    #expect(kernel.contains("BARRIER") == shares)
  }
}
