import ApusTestSupport
import Foundation
import Testing

/// The instructions of devices with compute capability 9.0 (`Kernels/prelude/hopper.h`) on the stand-in for CUDA.
/// `Tests/CUDAStandIn/hopper_check.cpp` runs kernels that use them and compares the results with formulas.
@Suite(.enabled(if: !Harness.isSimulator, "the simulator runs OpenCL kernels"))
struct HopperTests {
  /// Runs hopper-check. Returns its status and what it prints.
  private static func check(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: "\(try CUDAStandIn.folder())/hopper-check")
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, output)
  }

  private static func libraries() throws -> [String] {
    let folder = try CUDAStandIn.folder()
    return ["\(folder)/libcuda.so.1", "\(folder)/libnvrtc.so.13"]
  }

  /// Runs kernels with mbarriers, named barriers, TMA copies and wgmma, in both orders of threads and in all modes of
  /// asynchronous effects. If `APUS_DUMP_CUDA` names a folder, the CUDA source of the kernels is written there for
  /// `.ci/nvrtc-check`.
  @Test func instructions() throws {
    let result = try Self.check(try Self.libraries())
    #expect(result.status == 0 && result.output.contains(" 0 failures"), "\(result.output)")
    guard let folder = ProcessInfo.processInfo.environment["APUS_DUMP_CUDA"] else { return }
    #expect(try Self.check(["--dump", folder]).status == 0)
  }

  /// Kernels with a wrong phase or count of an mbarrier, a missing barrier or wait, a wrong swizzle, or a wrong
  /// position of an element.
  @Test func plantedFaultsAreFound() throws {
    let result = try Self.check(try Self.libraries() + ["--faults"])
    #expect(result.status == 0 && result.output.contains(" 0 not found"), "\(result.output)")
  }
}
