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

  @Test func unsupportedSubgroupsAreNotUsed() throws {
    let driver = try driver()
    // NVIDIA's shuffle instruction works within 32 work-items, not within 64. Other devices lack the instruction.
    #expect(try !driver.works(Subgroup(size: 64, access: .ptx)))
    // No device has sub-groups of this size.
    #expect(try !driver.works(Subgroup(size: 256, access: .khr)))
    #expect(try !driver.works(Subgroup(size: 256, access: .intel)))
    // Sub-groups are used if and only if there are configurations to try on the device.
    #expect((driver.target.subgroup == nil) == driver.entry.subgroups.isEmpty)
  }

  @Test func kernelsForCPUsUseNoSubgroups() throws {
    var options = GPUOptions.environment
    options.kernelClass = .cpu
    let driver = try OpenCLDriver(try #require(OpenCLEntry.all().first), options: options)
    #expect(driver.target.subgroup == nil)
  }

  @Test(.enabled(if: Harness.isPoCL, "the expected result is PoCL's")) func poclDevicesHaveNoSubgroups() throws {
    let driver = try driver()
    #expect(driver.entry.subgroups.isEmpty)
    #expect(driver.target.subgroup == nil)
  }

  /// Reductions by sub-groups of 16. The test emulates the shuffles (`SHIFT`) in local memory, with barriers, which all
  /// work-items of a work-group must reach. So where each sub-group reduces a row, the number of rows is a multiple of
  /// 16, the number of sub-groups in a work-group.
  @Test(
    .enabled(if: Harness.isPoCL, "the emulation of sub-groups is written for PoCL"),
    arguments: [[32, 17], [32, 300], [16, 512], [3, 513], [2, 90_000]])
  func sumsAreRight(_ shape: [Int]) throws {
    var options = GPUOptions.environment
    options.kernelClass = .gpu
    let driver = try CheckedOpenCL(
      options, adapt: { $0.subgroup = Subgroup(size: 16, access: .khr) },
      alter: { text in
        var text = text.replacing("__attribute__((intel_reqd_sub_group_size(SUBGROUP)))", with: "")
          .replacing("geometry += at;", with: "geometry += at; LOCAL_ARRAY(i64, shifted, 256);")
        for type in ["int", "float", "i64", "double"] {
          text = text.replacing(
            "#define SHIFT_\(type)(x, span) SHIFT(x, span)",
            with: """
              #define SHIFT_\(type)(x, span) ({ ((__local \(type) *)shifted)[LOCAL_ID()] = (x); BARRIER(); \
              \(type) y = ((__local \(type) *)shifted)[(LOCAL_ID() + (span)) % 256]; BARRIER(); y; })
              """)
        }
        return text
      })
    let device = try GPUDevice(driver: driver, options: options)
    try ReductionTests().check(ReductionTests.Case(shape: shape, axes: [1]), on: device)
  }

  /// With sub-groups of 32, a row of at most 32 elements is reduced by one work-item, a row of at most 1024 elements by
  /// a sub-group, and a longer row by a work-group.
  @Test(arguments: [(32, false, false), (33, true, false), (1024, true, false), (1025, true, true)])
  func sizesDecideBetweenItemSubgroupAndGroup(_ count: Int, shifts: Bool, shares: Bool) throws {
    var builder = PlanBuilder()
    let input = builder.input([Double](repeating: 1, count: 3 * count), .float32)
    let output = builder.output(3, .float32)
    builder.step(
      .reduction(
        Reduction(
          domain: Shape([3, count]), axes: [1],
          prologue: Program(inputs: [.tensor(.float32)], outputs: [Program.Output(register: 0, dtype: .float32)]),
          arguments: [.tensor(Operand(value: input, layout: Layout(contiguous: [3, count])))], reducers: [.sum],
          epilogue: epilogue(.float32, Operand(value: output, layout: Layout(contiguous: [3, 1])), domain: [3, 1]))))
    let text = try CUDASource.program(for: builder.plan, capability: 90)
    let kernel = text.split(separator: "KERNEL ").last ?? ""
    #expect(kernel.contains("SHIFT_float") == shifts)
    #expect(kernel.contains(" SUBGROUPS void ") == shifts)
    #expect(kernel.contains("BARRIER") == shares)
  }
}
