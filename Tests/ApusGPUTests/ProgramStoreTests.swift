@testable import ApusGPU
import ApusDevice
import ApusSystem
import ApusTestSupport
import CTestEnvironment
import Foundation
import Testing

/// The numbers from 0 to `count - 1`, each plus `number`, computed by a plan of one step.
private func increments(_ count: Int, by number: Double = 1, on device: any Device) throws -> [Double] {
  var builder = PlanBuilder()
  let input = builder.input((0..<count).map(Double.init), .float32)
  let output = builder.output(count, .float32)
  let program = Program(
    inputs: [.tensor(.float32)],
    instructions: [
      Instruction(.constant, lane: .float32, operands: [], immediate: .float(number)),
      Instruction(.add, lane: .float32, operands: [0, 1]),
    ], outputs: [Program.Output(register: 2, dtype: .float32)])
  let layout = Layout(contiguous: [count])
  builder.step(
    .elementwise(
      Elementwise(
        program: program,
        segments: [
          Binding(
            domain: [count], arguments: [.tensor(Operand(value: input, layout: layout))],
            results: [Operand(value: output, layout: layout)])
        ])))
  return try builder.results(on: device)[0]
}

@Suite struct ProgramStoreTests {
  /// Calls `body` with the path of a directory that does not exist yet, and removes the directory afterwards.
  private func withDirectory(_ body: (String) throws -> Void) rethrows {
    let path = FileManager.default.temporaryDirectory.path + "/apus-store-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(path)
  }

  private static let program = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 37) }

  @Test func storesPrograms() throws {
    try withDirectory { directory in
      let store = try #require(ProgramStore(directory: directory))
      let key = ProgramStore.key(of: ["text", "device"])
      #expect(store.read(key: key) == nil)
      store.write(Self.program, key: key)
      #expect(store.read(key: key) == Self.program)
      let mode = try FileManager.default.attributesOfItem(atPath: directory)[.posixPermissions] as? Int
      #expect(mode == 0o700)
    }
  }

  /// Lists of different texts have different keys, even if the texts are equal when joined.
  @Test func differentTextListsHaveDifferentKeys() {
    let keys = [["a", "b"], ["ab", ""], ["a", "b", ""], ["b", "a"]].map(ProgramStore.key)
    #expect(Set(keys).count == keys.count)
  }

  /// A damaged file, or the file of another key, counts as a cache miss.
  @Test func damageIsAMiss() throws {
    try withDirectory { directory in
      let store = try #require(ProgramStore(directory: directory))
      let key = ProgramStore.key(of: ["text"])
      store.write(Self.program, key: key)
      let file = [UInt8](try Data(contentsOf: URL(fileURLWithPath: store.path(key))))
      func read(_ bytes: [UInt8]) throws -> [UInt8]? {
        try Data(bytes).write(to: URL(fileURLWithPath: store.path(key)))
        return store.read(key: key)
      }
      for position in stride(from: 0, to: file.count, by: 13) {
        var flipped = file
        flipped[position] ^= 0x10
        #expect(try read(flipped) == nil, "byte \(position)")
      }
      for length in [0, 7, 47, 48, file.count - 1] { #expect(try read(Array(file[..<length])) == nil) }
      #expect(try read(file + [0]) == nil)
      #expect(try read(file) == Self.program)
      // The program of another key, stored under the name of this key.
      let other = ProgramStore.key(of: ["other"])
      store.write(Self.program.reversed(), key: other)
      try FileManager.default.removeItem(atPath: store.path(key))
      try FileManager.default.moveItem(atPath: store.path(other), toPath: store.path(key))
      #expect(store.read(key: key) == nil)
    }
  }

  /// The store does not use a directory that other users of the group can write to.
  @Test func unsafeDirectoriesAreNotUsed() throws {
    try withDirectory { directory in
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      chmod(directory, 0o770)
      #expect(ProgramStore(directory: directory) == nil)
      chmod(directory, 0o755)
      #expect(ProgramStore(directory: directory) != nil)
      #expect(ProgramStore(directory: directory + "/file/below") != nil)
    }
  }

  /// Opens a device with a program cache. Returns x + 1 for 100 elements x, and the number of programs that the device
  /// built from source for this plan.
  private func run(cacheDirectory: String) throws -> (numbers: [Double], builds: Int) {
    let device = Harness.open(.cpu, cacheDirectory: cacheDirectory)
    let numbers = try increments(100, on: device)
    BackgroundWork.finish()
    return (numbers, device.programs.buildCount)
  }

  /// Constants, such as the divisor of a mean, are not in the source of a kernel: another value needs no new kernel.
  @Test(arguments: [KernelTarget.Class.cpu, .gpu])
  func constantsNeedNoNewKernel(kernelClass: KernelTarget.Class) throws {
    let device = Harness.open(kernelClass)
    for number in [0.25, -1000.5, 0.125] {
      #expect(try increments(100, by: number, on: device) == (0..<100).map { Double($0) + number })
    }
    #expect(device.programs.buildCount == 1)
  }

  @Test func devicesReuseAndReplacePrograms() throws {
    try withDirectory { directory in
      let expected = (1...100).map(Double.init)
      #expect(try run(cacheDirectory: directory) == (expected, 1))
      #expect(try run(cacheDirectory: directory) == (expected, 0))
      let files = try FileManager.default.contentsOfDirectory(atPath: directory)
      #expect(files.count == 1)
      let path = directory + "/" + files[0]
      var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
      bytes[bytes.count / 2] ^= 1
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      #expect(try run(cacheDirectory: directory) == (expected, 1))
      #expect(try run(cacheDirectory: directory) == (expected, 0))
    }
  }
}

@Suite struct FaultTests {
  @Test func buildFailuresNameTheKernel() throws {
    let device = Harness.open(.cpu)
    let good = KernelSource(family: "good", parameters: [], body: "", for: .cpu)
    let bad = KernelSource(family: "bad", parameters: [], body: "  nonsense;\n", for: .cpu)
    let error = #expect(throws: DeviceError.self) { _ = try device.programs.modules(for: [good, bad]) }
    guard case .buildFailed("opencl:0", let kernel, let log) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(kernel == bad.name)
    #expect(log.contains("nonsense"))
    // The device stays usable.
    #expect(try device.programs.modules(for: [good]).count == 1)
  }

  @Test func missingDevicesAreErrors() {
    #expect(
      throws: DeviceError.unavailable(device: "opencl:99", reason: "the only OpenCL device is opencl:0")
    ) {
      _ = try OpenCL.open(#require(OpenCL.Name("opencl:99")))
    }
  }

  /// Two sub-devices of a device are two devices, each with half of the compute units.
  @Test(.enabled(if: Harness.computeUnits > 1, "one compute unit has no parts")) func partsAreDevices() throws {
    let whole = Harness.computeUnits
    for number in 0..<2 {
      let device = try OpenCL.open(0, part: (number, 2), options: GPUOptions())
      #expect(device.info.identifier == "opencl:0.\(number)/2" && device.info.computeUnits == whole / 2)
      #expect(try increments(100, on: device) == (1...100).map(Double.init))
    }
    for (number, count) in [(2, 2), (0, whole + 1)] {
      #expect(throws: DeviceError.self) { try OpenCL.open(0, part: (number, count), options: GPUOptions()) }
    }
    #expect(["opencl:1", "opencl:0.1/2"].allSatisfy { OpenCL.Name($0) != nil })
    let wrong = ["opencl:0.1", "opencl:-1", "opencl:0.0/0", "opencl", "cpu"]
    #expect(wrong.allSatisfy { OpenCL.Name($0) == nil })
    #expect(try #require(OpenCL.Name("opencl:3.1/4")).part! == (1, 4))
  }

  /// After a sub-device is closed, nothing reads freed memory. The process of this test overwrites memory when it is
  /// freed, so that such a read is likely to fail.
  @Test(.enabled(if: Harness.computeUnits > 1, "one compute unit has no parts")) func partsCanBeClosed() async {
    await #expect(processExitsWith: .success) {
      test_overwrite_freed_memory()
      for number in [0, 1, 0] {
        let device = try OpenCL.open(0, part: (number, 2), options: GPUOptions())
        guard try increments(100, on: device) == (1...100).map(Double.init) else { exit(EXIT_FAILURE) }
      }
      exit(EXIT_SUCCESS)
    }
  }

  @Test func concurrentQueriesFindDevices() async {
    await #expect(processExitsWith: .success) {
      let counts = await withTaskGroup { group in
        for _ in 0..<8 { group.addTask { (try? OpenCL.devices().count) ?? 0 } }
        return await group.reduce(into: []) { $0.append($1) }
      }
      exit(counts.allSatisfy { $0 > 0 } ? EXIT_SUCCESS : EXIT_FAILURE)
    }
  }

  @Test func missingPlatformsSayWhatToInstall() async {
    await #expect(processExitsWith: .success) {
      setenv("OCL_ICD_VENDORS", "/nonexistent/", 1)
      do {
        _ = try OpenCL.devices()
      } catch DeviceError.unavailable("opencl", let reason) where reason.contains("apt install pocl-opencl-icd") {
        exit(EXIT_SUCCESS)
      }
      exit(EXIT_FAILURE)
    }
  }

  /// PoCL is the only platform whose memory size can be set.
  @Test(.enabled(if: Harness.isPoCL, "the test limits the memory of PoCL")) func memoryRunsOutCleanly() async {
    await #expect(processExitsWith: .success) {
      // The device then has 1 GiB, and an allocation has at most 256 MiB.
      setenv("POCL_MEMORY_LIMIT", "1", 1)
      let device = try OpenCL.open(0, options: GPUOptions())
      let quarter = device.info.maximumAllocationByteCount
      do {
        _ = try device.allocate(byteCount: quarter + 1)
        exit(1)
      } catch DeviceError.outOfMemory(_, requested: quarter + 1, _, available: quarter) {}
      var buffers: [Buffer] = []
      do {
        for _ in 0..<5 { buffers.append(try device.allocate(byteCount: quarter - 4096)) }
        exit(2)
      } catch DeviceError.outOfMemory(_, requested: quarter - 4096, _, _) {}
      guard buffers.count == 3 || buffers.count == 4 else { exit(3) }
      // Released memory can be allocated again, also in other sizes.
      buffers = []
      for size in [quarter - 4096, quarter / 2, quarter / 3] { _ = try device.allocate(byteCount: size) }
      exit(0)
    }
  }

  @Test func plansThatDoNotFitAreRefused() async {
    await #expect(processExitsWith: .success) {
      setenv("POCL_MEMORY_LIMIT", "1", 1)
      let device = try OpenCL.open(0, options: GPUOptions())
      let slab = device.info.maximumAllocationByteCount
      do {
        _ = try device.prepare(Plan(slabs: [Int](repeating: slab, count: 5)))
        exit(1)
      } catch DeviceError.outOfMemory {}
      _ = try device.prepare(Plan(slabs: [slab]))
      exit(0)
    }
  }
}
