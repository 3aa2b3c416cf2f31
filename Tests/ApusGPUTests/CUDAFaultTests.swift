import ApusDevice
import ApusTestSupport
import Glibc
import Synchronization
import Testing

@testable import ApusGPU

/// Failures of the CUDA driver and of devices, on a stand-in for the driver (``CUDAStandIn``). Tests that set
/// environment variables of the stand-in, or that lose the device, run in a separate process.
struct CUDAFaultTests {
  /// Opens the first device with these variables in the environment, and returns the error.
  private static func failure(_ variables: [String: String]) throws -> String {
    for (name, value) in variables { setenv(name, value, 1) }
    let error = #expect(throws: DeviceError.self) { try CUDAStandIn.driver() }
    return "\(try #require(error))"
  }

  @Test func anOldDriverIsRefused() async throws {
    await #expect(processExitsWith: .success) {
      let text = try CUDAFaultTests.failure(["STAND_IN_VERSION": "11080"])
      #expect(text.contains("the driver supports CUDA 11.8; CUDA 12.0 is needed"), "\(text)")
    }
  }

  /// A driver cannot load the code that NVRTC generates if the major version of NVRTC is newer than the driver's.
  @Test func aCompilerNewerThanTheDriverIsRefused() async throws {
    await #expect(processExitsWith: .success) {
      let text = try CUDAFaultTests.failure(["STAND_IN_VERSION": "12040"])
      #expect(text.contains("the driver supports CUDA 12.4") && text.contains("nvidia-cuda-nvrtc-cu12"), "\(text)")
    }
  }

  @Test func anOldDeviceIsRefused() async throws {
    await #expect(processExitsWith: .success) {
      let text = try CUDAFaultTests.failure(["STAND_IN_CAPABILITY": "70"])
      #expect(text.contains("compute capability 7.0; 7.5 or higher is needed"), "\(text)")
    }
  }

  @Test func aDeviceNewerThanTheCompilerIsRefused() async throws {
    await #expect(processExitsWith: .success) {
      let text = try CUDAFaultTests.failure(["STAND_IN_CAPABILITY": "120"])
      #expect(text.contains("compute capability 12.0, for which NVRTC 13.0"), "\(text)")
      #expect(text.contains("install a newer NVRTC"), "\(text)")
    }
  }

  @Test func devicesHaveIndices() async throws {
    await #expect(processExitsWith: .success) {
      setenv("STAND_IN_DEVICES", "2", 1)
      setenv("APUS_CUDA_PATH", try CUDAStandIn.folder(), 1)
      #expect(try CUDA.devices().map(\.identifier) == ["cuda:0", "cuda:1"])
      #expect(try CUDA.open(1).info.identifier == "cuda:1")
      let error = #expect(throws: DeviceError.self) { try CUDA.open(2) }
      #expect(error == .unavailable(device: "cuda:2", reason: "the CUDA devices are cuda:0 to cuda:1"))
    }
    await #expect(processExitsWith: .success) {
      let text = try CUDAFaultTests.failure(["STAND_IN_DEVICES": "0"])
      #expect(text.contains("finds no device") && text.contains("CUDA_VISIBLE_DEVICES"), "\(text)")
    }
  }

  @Test func deviceNamesAreParsed() {
    #expect(Backend.cuda.identifier("cuda") == "cuda:0" && Backend.cuda.identifier("cuda:3") == "cuda:3")
    for text in ["cuda:", "cuda:-1", "cuda:x", "cuda:0.0/2", "opencl", "cud"] {
      #expect(Backend.cuda.identifier(text) == nil, "\(text)")
    }
  }

  /// An allocation that does not fit is refused, and the device stays usable.
  @Test func memoryRunsOut() async throws {
    await #expect(processExitsWith: .success) {
      setenv("STAND_IN_MEMORY", "64", 1)
      let driver = try CUDAStandIn.driver()
      let block = try driver.allocate(byteCount: 48 << 20)
      let error = #expect(throws: DeviceError.self) { try driver.allocate(byteCount: 32 << 20) }
      #expect(
        error == .outOfMemory(device: "cuda:0", requested: 32 << 20, used: 0, available: 64 << 20))
      #expect(try withExtendedLifetime(block) { try driver.allocate(byteCount: 1 << 20) }.address != 0)
    }
  }

  /// A large upload is first copied to a separate block of device memory. If the device has no room for this block, the
  /// upload goes directly to its target.
  @Test func aLargeUploadWorksOnAFullDevice() async throws {
    await #expect(processExitsWith: .success) {
      setenv("STAND_IN_MEMORY", "2", 1)
      let driver = try CUDAStandIn.driver()
      let memory = try driver.allocate(byteCount: 2 << 20)
      let bytes = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 / 256) }
      try bytes.withUnsafeBytes { try driver.copyIn($0, to: memory) }
      #expect(try driver.copyOut(memory, byteCount: bytes.count).wait().elementsEqual(bytes))
    }
  }

  /// Runs a kernel that fails; its argument `result` points to 256 bytes of global memory. Checks that each later call
  /// reports that the device is lost.
  private static func expectLoss(body: String, errorCode: Int) throws {
    let driver = try CUDAStandIn.driver()
    let memories = try CUDAStandIn.start(body: body, on: driver)
    for _ in 0..<2 {
      let error = #expect(throws: DeviceError.self) { try driver.synchronize(measuring: false) }
      guard case .lost("cuda:0", let reason) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      #expect(reason.contains("CUDA error \(errorCode)"), "\(reason)")
    }
    #expect(throws: DeviceError.self) { try driver.copyOut(memories[0], byteCount: 4) }
    #expect(throws: DeviceError.self) { try driver.allocate(byteCount: 256) }
  }

  /// Some threads wait at a barrier that the others do not reach. The stand-in reports this as a failure.
  @Test func aFailedKernelLosesTheDevice() async throws {
    await #expect(processExitsWith: .success) {
      try CUDAFaultTests.expectLoss(
        body: "  if (LOCAL_ID() == 0) BARRIER();\n  result[LOCAL_ID()] = 1;\n", errorCode: 719)
    }
  }

  /// A kernel, for example of a custom operation, writes to an address that is not mapped.
  @Test func anIllegalAddressLosesTheDevice() async throws {
    await #expect(processExitsWith: .success) {
      try CUDAFaultTests.expectLoss(body: "  result[1l << 44] = LOCAL_ID();\n", errorCode: 700)
    }
  }

  /// A kernel loads a vector of 16 bytes from an address that is not a multiple of 16.
  @Test func aMisalignedLoadLosesTheDevice() async throws {
    let result = try await #require(processExitsWith: .success, observing: [\.standardErrorContent]) {
      try CUDAFaultTests.expectLoss(
        body: "  float4 quad = LOAD_QUAD((GLOBAL float *)result + 1);\n  result[LOCAL_ID()] = (int)quad.y;\n",
        errorCode: 716)
    }
    let text = String(decoding: result.standardErrorContent, as: UTF8.self)
    #expect(text.contains("which is not a multiple of 16 bytes"), "\(text)")
  }

  /// A kernel passes `LOAD_MATRIX` (`ldmatrix`) the address of a matrix row in local memory that is not a multiple of
  /// 16 bytes.
  @Test func aMisalignedMatrixLosesTheDevice() async throws {
    let result = try await #require(processExitsWith: .success, observing: [\.standardErrorContent]) {
      try CUDAFaultTests.expectLoss(
        body: """
            LOCAL_ARRAY(u32, rows, 160);
            u32 r[4];
            for (int i = LOCAL_ID(); i < 160; i += 32) rows[i] = i;
            BARRIER();
            LOAD_MATRIX(r, rows + LOCAL_ID() * 4 + 1);
            result[LOCAL_ID()] = (int)r[0];

          """, errorCode: 716)
    }
    let text = String(decoding: result.standardErrorContent, as: UTF8.self)
    #expect(text.contains("LOAD_MATRIX accesses") && text.contains("a multiple of 16 bytes"), "\(text)")
  }

  /// A stored binary that the driver refuses is replaced by one that is built from source.
  @Test(arguments: [4, 100, 4000]) func aRefusedBinaryIsBuiltAgain(byteCount: Int) throws {
    let driver = try CUDAStandIn.driver()
    let kernel = KernelSource(
      family: "store", parameters: [KernelParameter("GLOBAL int *", "result")], body: "  result[0] = 1;\n", for: .gpu,
      localSize: 32)
    var source = ProgramSource(
      name: kernel.name, text: KernelPrelude.dialect(of: driver.target) + kernel.text, kernels: [kernel.name])
    let good = try driver.compile([source])[0].get()
    source.binary = good.module.binary
    #expect(try driver.compile([source])[0].get().origin == .binary)
    source.binary = [0x7F] + Array("ELF".utf8) + [UInt8](repeating: 0, count: byteCount)
    #expect(try driver.compile([source])[0].get().origin == .source)
  }
}

/// A failed copy to the host reports its error on each wait, and the host memory of the copy is reused.
struct HostTransferTests {
  private struct FailingCopy: HostCopy {
    var isComplete: Bool { true }
    func wait() throws(DeviceError) { throw .lost(device: "model:0", reason: "a copy to the host failed") }
  }

  @Test func aFailedCopyFailsOnEachWait() throws {
    let allocations = Mutex(0)
    let blocks = HostBlocks<FailingCopy> { capacity in
      allocations.withLock { $0 += 1 }
      return .heap(capacity)
    }
    for _ in 0..<3 {
      let transfer = try blocks.download(64, ModelDriver()) { _ in FailingCopy() }
      for _ in 0..<2 { #expect(throws: DeviceError.self) { try transfer.wait() } }
    }
    #expect(allocations.withLock { $0 } == 1)
    blocks.freeAll()
  }
}
