import ApusDevice
import ApusTestSupport
import Foundation

@testable import ApusGPU

/// The devices on which the tests of kernels run: OpenCL device 0, once with each kernel class (kernels for CPUs and
/// kernels for GPUs) or only with the class that `APUS_KERNEL_CLASS` names; and the stand-in for CUDA. If
/// `APUS_TEST_DEVICES` is set, only the kinds of devices that it names are used (``TestDevice/kinds``), and a CUDA
/// device is then a GPU. The devices do not use the user's program cache. PoCL has its own cache, for which `.ci/run`
/// names a new folder.
///
/// The tests of all suites share these devices, and run on one thread; see ``DeviceThread``.
enum Harness {
  static let devices: [(kernelClass: KernelTarget.Class, device: any Device)] = {
    var devices = classes.map { ($0, open($0) as any Device) }
    if TestDevice.kinds.contains(.cuda) && !isSimulator { devices.append((.gpu, openCUDA())) }
    guard !devices.isEmpty else { fatalError("the tests of kernels need opencl or cuda in APUS_TEST_DEVICES") }
    return devices
  }()

  /// The kernel classes of the OpenCL device: both, or the class that `APUS_KERNEL_CLASS` names; none if
  /// `APUS_TEST_DEVICES` does not name `opencl`.
  static let classes: [KernelTarget.Class] =
    !TestDevice.kinds.contains(.opencl)
    ? [] : GPUOptions.environment.kernelClass.map { [$0] } ?? KernelTarget.Class.allCases

  /// Whether `.ci/oclgrind-check` runs the tests. Large cases are then skipped, because they take minutes on the
  /// simulator.
  static let isSimulator = getenv("OCLGRIND_LOG") != nil
  /// Whether the simulator leaves out cases that take long with kernels of class `gpu`, where it needs up to a minute for
  /// a case. `.ci/nightly` runs them.
  static let isBriefSimulation = isSimulator && classes == [.gpu] && getenv("APUS_SIMULATE_ALL") == nil

  /// Whether the tests run on PoCL.
  static let isPoCL = (try? OpenCL.devices().first?.driver.hasPrefix("Portable Computing Language")) ?? false

  /// The number of compute units of device 0; 0 if there is no device.
  static let computeUnits = (try? OpenCL.devices().first?.computeUnits) ?? 0

  /// Opens a new device with a driver that checks its callers (`CheckedDriver`).
  static func open(
    _ kernelClass: KernelTarget.Class, cacheDirectory: String? = nil
  ) -> GPUDevice<CheckedOpenCL> {
    var options = GPUOptions.environment
    options.kernelClass = kernelClass
    options.cacheDirectory = cacheDirectory
    return open(options) { try CheckedOpenCL($0) }
  }

  /// Opens a new device on the stand-in for CUDA, or on a GPU if `APUS_TEST_DEVICES` names `cuda`.
  /// - Parameter adapt: changes the description of the device (`KernelTarget`) that the lowering uses.
  static func openCUDA(
    adapt: (inout KernelTarget) -> Void = { _ in }
  ) -> GPUDevice<CheckedDriver<CUDADriver>> {
    var options = GPUOptions.environment
    options.cacheDirectory = nil
    return open(options) { _ in try CheckedDriver(CUDAStandIn.driver(), adapt: adapt) }
  }

  /// Opens a device of any driver. The device fills newly allocated memory with a pattern.
  static func open<Driver: GPUDriver>(
    _ options: GPUOptions, _ driver: (GPUOptions) throws -> Driver
  ) -> GPUDevice<Driver> {
    var options = options
    options.fillsNewMemory = true
    do { return try GPUDevice(driver: driver(options), options: options) } catch {
      fatalError("the tests need a GPU device: \(error)")
    }
  }
}

extension PlanBuilder {
  /// Runs the plan once. If the device is the OpenCL device with the kernels for GPUs, also generates the CUDA source.
  func results(on device: any Device) throws -> [[Double]] {
    if (device as? GPUDevice<CheckedOpenCL>)?.driver.target.kernelClass == .gpu { try CUDADump.write(plan) }
    return try run(on: device)
  }
}

/// Generates the CUDA source of every plan that a test runs with kernels for GPUs. If `APUS_DUMP_CUDA` names a
/// directory, the source is written there, and `.ci/nvrtc-check` compiles it.
enum CUDADump {
  private static let directory = ProcessInfo.processInfo.environment["APUS_DUMP_CUDA"]
  /// One compute capability without matrix units (tensor cores), and one with them: each has its own set of kernels.
  static let capabilities = [75, 90]

  /// - Parameters:
  ///   - choices: the kernels to use; `nil` leaves all choices to the cost models.
  ///   - capabilities: the compute capabilities of the devices, as 10 × major + minor.
  static func write(_ plan: Plan, _ choices: TuningTable? = nil, capabilities: [Int] = capabilities) throws {
    for capability in capabilities {
      let text = try CUDASource.program(for: plan, capability: capability, choices: choices)
      guard let directory else { continue }
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325
      for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
      let name = "\(String(hash, radix: 16)).\(CUDAEntry.architecture(ofCapability: capability))"
      try text.write(toFile: "\(directory)/\(name).cu", atomically: true, encoding: .utf8)
    }
  }
}

/// Reproducible pseudorandom numbers.
struct Numbers {
  private var state: UInt64

  init(seed: UInt64 = 1) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(state >> 11) / Double(1 << 53)
  }

  /// `count` multiples of 1/64 in -2..<2: exact in every floating-point type.
  mutating func array(_ count: Int) -> [Double] {
    (0..<count).map { _ in (next() * 256).rounded(.down) / 64 - 2 }
  }

  mutating func integers(_ count: Int, _ range: Range<Int>) -> [Double] {
    (0..<count).map { _ in Double(range.lowerBound) + (next() * Double(range.count)).rounded(.down) }
  }
}
