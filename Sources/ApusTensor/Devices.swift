import ApusCPU
import ApusDevice
import ApusGPU
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

// The only file that names backends.
extension ComputeDevice {
  private static let opened = Mutex<[String: ComputeDevice]>([:])

  /// Returns the device with a name: `cpu`, `opencl`, `opencl:N`, or `auto`; `opencl:N.P/C` names a sub-device,
  /// partition `P`, counted from 0, of `C` equal partitions of the compute units of `opencl:N`.
  ///
  /// A device is opened once per process. `auto` selects a discrete OpenCL GPU, else the CPU.
  /// - Throws: `DeviceError.unavailable` when there is no such device; there is no silent fallback.
  public static func named(_ name: String) throws(DeviceError) -> ComputeDevice {
    if name == "auto" { return try automatic().device }
    let identifier = name == "opencl" ? "opencl:0" : name
    if let device = opened.withLock({ $0[identifier] }) { return device }
    let backend: any Device
    if identifier == "cpu" {
      backend = try CPUDevice.open()
    } else if let opencl = OpenCL.Name(identifier) {
      backend = try OpenCL.open(opencl)
    } else {
      throw .unavailable(device: name, reason: "the devices are auto, cpu, opencl, opencl:N and opencl:N.P/C")
    }
    return opened.withLock { devices in
      if let device = devices[identifier] { return device }
      let device = ComputeDevice(backend: backend)
      devices[identifier] = device
      return device
    }
  }

  /// The memory of the host that this process may use, in bytes.
  package static var hostMemoryByteCount: Int { HostMemory.byteCount }

  /// Whether a string is a valid device name. The device need not exist.
  public static func isName(_ text: String) -> Bool {
    ["auto", "cpu", "opencl"].contains(text) || OpenCL.Name(text) != nil
  }

  /// The device that `auto` selects, and the reason.
  public static func automatic() throws(DeviceError) -> (device: ComputeDevice, reason: String) {
    let found: [DeviceInfo]
    do throws(DeviceError) {
      found = try OpenCL.devices()
    } catch {
      return (try named("cpu"), "no discrete GPU was found: \(error)")
    }
    guard let gpu = found.first(where: \.isDiscreteGPU) else {
      return (
        try named("cpu"), "no discrete GPU was found among \(found.count) OpenCL device\(found.count == 1 ? "" : "s")"
      )
    }
    return (try named(gpu.identifier), "a discrete OpenCL GPU")
  }

  /// The available devices, and the errors of backends that cannot be opened.
  public static func available() -> (devices: [DeviceInfo], problems: [DeviceError]) {
    var devices: [DeviceInfo] = []
    var problems: [DeviceError] = []
    do throws(DeviceError) { devices.append(try named("cpu").info) } catch { problems.append(error) }
    do throws(DeviceError) { devices += try OpenCL.devices() } catch { problems.append(error) }
    return (devices, problems)
  }

  /// Waits for pending work on all devices, and for background work that stores compiled programs for later processes.
  /// A program calls it once, before it exits; it may take some seconds after the first use of a model on a device.
  /// Without it, the process may exit while a driver compiles, which crashes some drivers.
  public static func storePrograms() {
    for device in opened.withLock({ Array($0.values) }) {
      // Reading the values throws the error.
      try? device.synchronize()
    }
    BackgroundWork.finish()
  }

  /// The device name in `APUS_DEVICE`, if it is set and not empty. The device need not exist.
  public static var nameInEnvironment: String? {
    guard let text = getenv("APUS_DEVICE"), text.pointee != 0 else { return nil }
    return String(cString: text)
  }

  /// The process's default device: the device that `APUS_DEVICE` names, else the CPU.
  static let defaultDevice: ComputeDevice = {
    do throws(DeviceError) { return try named(nameInEnvironment ?? "cpu") } catch {
      endProcess("APUS_DEVICE: \(error)")
    }
  }()
}
