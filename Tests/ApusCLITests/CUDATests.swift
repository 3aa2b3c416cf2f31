import ApusTestSupport
import Foundation
import Testing

/// The command on a CUDA device, and on machines where the device, its driver or its compiler is missing or fails. The
/// device is a stand-in (``CUDAStandIn``), which fails on request.
struct CUDATests {
  private let images: TinyImages
  private let scratch: ScratchDirectory

  init() throws {
    images = try TinyImages()
    scratch = try ScratchDirectory()
  }

  /// The environment of a process that finds the stand-in, and keeps the code that it compiles in a folder.
  private func environment(_ more: [String: String] = [:]) throws -> [String: String] {
    let own = ["APUS_CUDA_PATH": try CUDAStandIn.folder(), "XDG_CACHE_HOME": scratch.file("cache")]
    return own.merging(more) { $1 }
  }

  private func words(_ name: String, steps: Int = 8) -> [String] {
    [
      "train", "--layers", "conv 4 3x3, relu, pool 2, dropout 0.2, dense 10", "--steps", "\(steps)", "--batch-size",
      "16", "--data", images.source, "--device", "cuda", "--json", "--output", scratch.file(name),
    ]
  }

  private func train(_ name: String, steps: Int = 8, _ more: [String: String] = [:]) throws -> Invocation {
    try Invocation(words(name, steps: steps), environment: environment(more))
  }

  private func digest(_ invocation: Invocation) throws -> String? {
    #expect(invocation.status == 0, "\(invocation.errors)")
    return try invocation.member("weights_sha256")
  }

  // MARK: - Use

  @Test func theDeviceIsListed() throws {
    let run = try Invocation("devices", environment: environment())
    #expect(run.status == 0 && run.output.contains("cuda:0") && run.output.contains("CUDA stand-in"), "\(run.output)")
  }

  @Test func theDeviceAgreesWithTheCPU() throws {
    let run = try Invocation(
      "verify", "--layers", "conv 4 3x3, relu, pool 2, dense 10", "--batch-size", "8", "--devices", "cpu,cuda",
      "--json", environment: environment())
    #expect(run.status == 0, "\(run.errors)")
    #expect(try run.member("agrees") == true && run.member("devices") == ["cpu", "cuda:0"])
    #expect(try run.member("operations", as: Int.self) ?? 0 > 50)
  }

  /// A run that is killed after a checkpoint ends with the same bits as a run that is not killed.
  @Test func aKilledRunIsResumed() throws {
    let whole = try digest(train("whole", steps: 60))
    let killed = words("killed", steps: 60) + ["--save-every", "0.01"]
    let first = scratch.file("killed/checkpoints/step-000000000")
    let status = try Invocation.stop(killed, SIGKILL, file: first, environment: environment())
    #expect(status == SIGKILL)
    let rest = try Invocation(killed + ["--resume", scratch.file("killed")], environment: environment())
    #expect(try digest(rest) == whole)
  }

  // MARK: - Missing parts

  /// Without a working device, the command says what is missing in one line, and leaves no run.
  private func expectUnavailable(_ more: [String: String], _ messages: String...) throws {
    let run = try train("run", more)
    #expect(run.status == 69 && run.output.isEmpty, "\(run.errors)")
    #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
    for message in messages { #expect(run.errors.contains(message), "\(run.errors)") }
    #expect(!FileManager.default.fileExists(atPath: scratch.file("run")))
  }

  @Test(.enabled("a CUDA driver is installed") { !FileManager.default.fileExists(atPath: "/dev/nvidiactl") })
  func theDriverIsMissing() throws {
    try expectUnavailable(["APUS_CUDA_PATH": scratch.path], "\(scratch.path)/libcuda.so.1", "install NVIDIA's driver")
  }

  @Test func theCompilerIsMissing() throws {
    try FileManager.default.createSymbolicLink(
      atPath: scratch.file("libcuda.so.1"), withDestinationPath: "\(CUDAStandIn.folder())/libcuda.so.1")
    try expectUnavailable(["APUS_CUDA_PATH": scratch.path], "no NVRTC", "pip install nvidia-cuda-nvrtc")
  }

  /// A library without a function of the driver: it is another library, or a driver older than all supported ones.
  @Test(.enabled("a CUDA driver is installed") { !FileManager.default.fileExists(atPath: "/dev/nvidiactl") })
  func functionsAreMissing() throws {
    let source = try scratch.write(Array("int cuInit(unsigned flags) { return 0; }".utf8), to: "driver.c")
    let compiler = Process()
    compiler.executableURL = URL(filePath: "/usr/bin/env")
    compiler.arguments = ["clang", "-shared", "-fPIC", source, "-o", scratch.file("libcuda.so.1")]
    try compiler.run()
    compiler.waitUntilExit()
    try expectUnavailable(
      ["APUS_CUDA_PATH": scratch.path], "\(scratch.path)/libcuda.so.1 has no function cuDriverGetVersion")
  }

  @Test(arguments: [
    (["STAND_IN_FAIL": "cuInit:1:999"], "the CUDA driver could not be initialized: CUDA error 999"),
    (["STAND_IN_VERSION": "11080"], "the driver supports CUDA 11.8; CUDA 12.0 is needed"),
    (["STAND_IN_VERSION": "12040"], "the driver supports CUDA 12.4, but no NVRTC for it was found"),
    (["STAND_IN_DEVICES": "0"], "the CUDA driver finds no device; check CUDA_VISIBLE_DEVICES"),
    (["STAND_IN_CAPABILITY": "70"], "has compute capability 7.0; 7.5 or higher is needed"),
    (["STAND_IN_CAPABILITY": "120"], "has compute capability 12.0, for which NVRTC 13.0"),
    (["STAND_IN_FAIL": "cuDevicePrimaryCtxRetain:1:2"], "its memory is full; end the processes that use it"),
    (["STAND_IN_FAIL": "cuDevicePrimaryCtxRetain:1:46"], "creating a context failed: CUDA error 46"),
  ])
  func theDeviceIsUnavailable(variables: [String: String], message: String) throws {
    try expectUnavailable(variables, message)
  }

  // MARK: - Faults of a run

  /// The device is lost in the middle of a run. The last checkpoint stays, and the resumed run ends with the same bits
  /// as a run without a fault.
  @Test(arguments: [
    "cuGraphLaunch:20:700", "cuMemcpyHtoDAsync_v2:40:719", "cuMemcpyDtoHAsync_v2:40:214", "cuEventSynchronize:30:719",
  ])
  func theDeviceIsLost(fault: String) throws {
    let whole = try digest(train("whole", steps: 20))
    let lost = try Invocation(
      words("lost", steps: 20) + ["--save-every", "0.001"], environment: environment(["STAND_IN_FAIL": fault]))
    #expect(lost.status == 69 && lost.errors.contains("device cuda:0 was lost: "), "\(lost.errors)")
    #expect(try !FileManager.default.contentsOfDirectory(atPath: scratch.file("lost/checkpoints")).isEmpty)
    let rest = try Invocation(
      "train", "--resume", scratch.file("lost"), "--json", environment: environment())
    #expect(try digest(rest) == whole)
  }

  /// An allocation that fails is tried again after unused memory was freed. If it fails again, the run ends, and the
  /// device is not lost.
  @Test func memoryRunsOut() throws {
    let whole = try digest(train("whole"))
    #expect(try digest(train("once", ["STAND_IN_FAIL": "cuMemAllocAsync:9:2"])) == whole)
    let twice = try train("twice", ["STAND_IN_FAIL": "cuMemAllocAsync:9:2,cuMemAllocAsync:10:2"])
    #expect(twice.status == 1 && twice.errors.contains("device cuda:0 is out of memory: "), "\(twice.errors)")
    #expect(twice.errors.contains("use a smaller batch"), "\(twice.errors)")
  }

  /// A kernel that needs more registers than a block has does not run; the device is not lost.
  @Test func aLaunchIsRefused() throws {
    let run = try train("run", ["STAND_IN_FAIL": "cuLaunchKernel:3:701"])
    #expect(run.status == 1 && run.errors.contains("device cuda:0 could not run "), "\(run.errors)")
    #expect(run.errors.contains("CUDA error 701"), "\(run.errors)")
  }

  /// Damaged files in the cache of compiled kernels are ignored and replaced.
  @Test func theCacheIsDamaged() throws {
    let whole = try digest(train("whole"))
    var count = 0
    for case let file as URL in FileManager.default.enumerator(
      at: URL(filePath: scratch.file("cache")), includingPropertiesForKeys: nil)!
    where file.pathExtension == "program" {
      var bytes = try Data(contentsOf: file)
      if count % 2 == 0 { bytes[bytes.count / 2] ^= 0xFF } else { bytes.removeLast(bytes.count / 2) }
      try bytes.write(to: file)
      count += 1
    }
    #expect(count > 3)
    #expect(try digest(train("again")) == whole)
  }
}
