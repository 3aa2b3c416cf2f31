import ApusDevice
import ApusSystem
import Synchronization

extension ComputeDevice {
  private static let opened = Mutex<[String: ComputeDevice]>([:])

  /// Returns the device with one of the names `cpu`, `cuda`, `cuda:N`, `opencl`, `opencl:N`, `opencl:N.P/C` and `auto`.
  /// The name `opencl:N.P/C` means a sub-device. The compute units of `opencl:N` are divided into `C` equal parts, and
  /// `P` is the index of the part, from 0.
  ///
  /// A device is opened once per process. `auto` selects the first discrete GPU of CUDA. If CUDA has none or fails,
  /// `auto` selects the first discrete GPU of OpenCL. If OpenCL has none or fails too, `auto` selects the CPU.
  /// - Throws: `DeviceError.unavailable` if there is no such device; only `auto` falls back to another device.
  public static func named(_ name: String) throws(DeviceError) -> ComputeDevice {
    if name == "auto" { return try automatic().device }
    guard let (backend, identifier) = backend(of: name) else {
      throw .unavailable(device: name, reason: "the devices are \(nameForms.joined(separator: ", "))")
    }
    if let device = opened.withLock({ $0[identifier] }) { return device }
    let implementation = try backend.open(identifier)
    return opened.withLock { devices in
      if let device = devices[identifier] { return device }
      let device = ComputeDevice(backend: implementation)
      devices[identifier] = device
      return device
    }
  }

  /// The memory of the host that this process may use, in bytes.
  package static var hostMemoryByteCount: Int { HostMemory.byteCount }

  /// The forms of device names: `auto`, `cpu`, `cuda`, `cuda:N`, `opencl`, `opencl:N` and `opencl:N.P/C`, where `N`,
  /// `P` and `C` stand for numbers.
  public static var nameForms: [String] { ["auto"] + Backend.all.flatMap(\.forms) }

  /// Whether a string is a valid device name. The device need not exist.
  public static func isName(_ text: String) -> Bool { text == "auto" || backend(of: text) != nil }

  /// The backend of a device name, and the full name, for example `opencl:0` for `opencl`.
  private static func backend(of name: String) -> (backend: Backend, identifier: String)? {
    for backend in Backend.all {
      if let identifier = backend.identifier(name) { return (backend, identifier) }
    }
    return nil
  }

  /// The device that `auto` selects, and the reason.
  public static func automatic() throws(DeviceError) -> (device: ComputeDevice, reason: String) {
    var (counts, failed): ([String], [String]) = ([], [])
    for backend in Backend.all where backend.mayHaveGPUs {
      do throws(DeviceError) {
        let devices = try backend.devices()
        if let gpu = devices.first(where: \.isDiscreteGPU) {
          return (try named(gpu.identifier), "a discrete \(backend.title) GPU")
        }
        counts.append(devices.count.text(of: "\(backend.title) device"))
      } catch {
        failed.append(backend.title)
      }
    }
    let reason =
      counts.isEmpty
      ? ": \(failed.list("and")) are not available; apus devices prints the reasons"
      : " among \(counts.joined(separator: ", "))"
    return (try named("cpu"), "no discrete GPU was found\(reason)")
  }

  /// The available devices, and the errors of the backends that could not list their devices.
  public static func available() -> (devices: [DeviceInfo], problems: [DeviceError]) {
    var devices: [DeviceInfo] = []
    var problems: [DeviceError] = []
    for backend in Backend.all {
      do throws(DeviceError) { devices += try backend.devices() } catch { problems.append(error) }
    }
    return (devices, problems)
  }

  /// Waits for the work of all opened devices, and for background work that stores compiled programs for later
  /// processes. Call this function once, before the process exits; it may take some seconds after the first use of a
  /// model on a device. Without the call, the process may exit while a driver compiles, which crashes some drivers.
  public static func storePrograms() {
    for device in opened.withLock({ Array($0.values) }) {
      // An error is ignored here, because reading a value throws it.
      try? device.synchronize()
    }
    BackgroundWork.finish()
  }

  /// The device name in `APUS_DEVICE`, if it is set and not empty. The device need not exist.
  public static var nameInEnvironment: String? {
    Environment["APUS_DEVICE"]
  }

  /// The process's default device: the device that `APUS_DEVICE` names, else the CPU.
  static let defaultDevice: ComputeDevice = {
    do throws(DeviceError) { return try named(nameInEnvironment ?? "cpu") } catch {
      endProcess("APUS_DEVICE: \(error)")
    }
  }()
}
