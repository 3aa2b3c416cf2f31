import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusGPU

@DeviceThread @Suite struct RecurrentTests {
  /// Cases that a simulator finishes in a minute. If only GPU kernels are tested, large cases are left out: each
  /// work-group of these kernels computes four sequences, even if the batch has fewer.
  nonisolated private static let smallCases = RecurrentStepCase.all.filter { item in
    let g = item.geometry
    return Harness.classes != [.gpu] || g.times * g.batch * g.size < 3000
  }

  @Test(arguments: Harness.isSimulator ? smallCases : RecurrentStepCase.all)
  func bothPasses(_ item: RecurrentStepCase) throws {
    for pass in item.passes { try CUDADump.write(item.plan(pass)) }
    for (kernelClass, device) in Harness.devices {
      let problems = try item.problems(on: device)
      #expect(problems.isEmpty, "\(kernelClass): \(problems)")
    }
  }

  /// The numbers of registers and cores determine the tiles, the work-groups and whether weights are packed, but never
  /// change the bits of a result.
  @Test(
    .enabled(
      if: Harness.classes.contains(.cpu) && !Harness.isSimulator, "only CPU kernels use tiles; simulators take minutes")
  )
  func everyTileGivesTheSameBits() throws {
    var options = GPUOptions.environment
    options.kernelClass = .cpu
    options.cacheDirectory = nil
    let items = RecurrentStepCase.all.filter { $0.geometry.times == 4 && $0.geometry.batch > 20 }
    #expect(items.count == 2)
    for item in items {
      var found: [[[UInt32]]] = []
      for (registers, cores) in [(8, 2), (8, 1), (4, 64), (32, 2)] {
        let driver = try CheckedOpenCL(
          options,
          adapt: { target in
            target.registerCount = registers
            target.computeUnits = cores
          })
        found.append(try item.bits(on: try GPUDevice(driver: driver, options: options)))
      }
      #expect(!found[0].isEmpty && found.allSatisfy { $0 == found[0] }, "\(item.testDescription)")
    }
  }
}
