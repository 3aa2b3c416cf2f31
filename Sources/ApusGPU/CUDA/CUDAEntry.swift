import ApusDevice
import CCUDA

/// A CUDA device in the list of devices, before it is opened.
struct CUDAEntry: Sendable {
  let libraries: CUDALibraries
  let device: CUdevice
  let index: Int

  /// The compute capability of the oldest devices that are supported, as 10 × major + minor.
  static let oldestCapability = 75

  /// Returns all devices, in the order of the driver, which obeys `CUDA_VISIBLE_DEVICES`.
  /// - Throws: `DeviceError.unavailable` if a library is missing or there is no device.
  static func all() throws(DeviceError) -> [CUDAEntry] { try all(CUDALibraries.open()) }

  static func all(_ libraries: CUDALibraries) throws(DeviceError) -> [CUDAEntry] {
    let driver = libraries.driver
    var count: Int32 = 0
    let status = CUDAStatus(driver.cuDeviceGetCount(&count), driver)
    guard status.isSuccess, count > 0 else {
      throw .unavailable(
        device: "cuda",
        reason: "the CUDA driver finds no device" + (status.isSuccess ? "" : ": \(status)")
          + "; check CUDA_VISIBLE_DEVICES")
    }
    var entries: [CUDAEntry] = []
    for index in 0..<Int(count) {
      var device: CUdevice = 0
      let status = CUDAStatus(driver.cuDeviceGet(&device, Int32(index)), driver)
      guard status.isSuccess else { throw status.error(device: "cuda:\(index)", activity: "a query of the device") }
      entries.append(CUDAEntry(libraries: libraries, device: device, index: index))
    }
    return entries
  }

  var identifier: String { "cuda:\(index)" }

  /// The compute capability as 10 × major + minor, such as 90 for an H100.
  var capability: Int {
    10 * attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
      + attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)
  }

  /// The value of a device attribute; 0 if the driver does not know it.
  func attribute(_ attribute: Int32) -> Int {
    var value: Int32 = 0
    return libraries.driver.cuDeviceGetAttribute(&value, attribute, device) == CUDA_SUCCESS ? Int(value) : 0
  }

  private var name: String {
    var bytes = [CChar](repeating: 0, count: 256)
    guard libraries.driver.cuDeviceGetName(&bytes, Int32(bytes.count), device) == CUDA_SUCCESS else { return "" }
    return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  var info: DeviceInfo {
    var byteCount = 0
    _ = libraries.driver.cuDeviceTotalMem(&byteCount, device)
    let driver = CUDALibraries.text(ofVersion: libraries.driverVersion)
    let compiler = CUDALibraries.text(ofVersion: libraries.compilerVersion)
    return DeviceInfo(
      kind: .cuda, identifier: identifier, name: name, vendor: "NVIDIA",
      driver: "CUDA \(driver), NVRTC \(compiler), compute capability \(capability / 10).\(capability % 10)",
      isDiscreteGPU: attribute(CU_DEVICE_ATTRIBUTE_INTEGRATED) == 0,
      computeUnits: attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT), memoryByteCount: byteCount,
      maximumAllocationByteCount: byteCount, alignment: 256, supportsFloat64: true)
  }

  /// The properties that the device's kernels depend on.
  var target: KernelTarget {
    var target = KernelTarget.cuda(
      capability: capability, computeUnits: max(1, attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)),
      localByteCount: attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN))
    target.largestGroup = attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK)
    target.fingerprint =
      ["CUDA \(libraries.driverVersion)", name, "NVRTC \(libraries.compilerVersion)"]
      + CUDADriver.buildOptions(architecture: architecture)
    return target
  }

  var architecture: String { Self.architecture(ofCapability: capability) }

  /// NVRTC's name of the instruction set: sm_90a has the instructions that only devices with compute capability 9.0
  /// have.
  static func architecture(ofCapability capability: Int) -> String {
    capability == 90 ? "sm_90a" : "sm_\(capability)"
  }

  /// Throws if the device cannot run the kernels, or if NVRTC cannot compile for it.
  func check() throws(DeviceError) {
    let device = "\(name) has compute capability \(capability / 10).\(capability % 10)"
    guard capability >= Self.oldestCapability else {
      throw .unavailable(device: identifier, reason: "\(device); 7.5 or higher is needed")
    }
    guard libraries.compiledCapabilities().contains(capability) else {
      throw .unavailable(
        device: identifier,
        reason: "\(device), for which NVRTC \(CUDALibraries.text(ofVersion: libraries.compilerVersion)) "
          + "(\(libraries.compilerPath)) cannot compile; install a newer NVRTC, or name its folder in APUS_CUDA_PATH")
    }
  }
}
