import ApusCPU
import ApusDevice
import ApusGPU

/// A kind of device: how its devices are named, listed and opened. `Backend.all` is the only list of backends; a new
/// backend is one row.
struct Backend: Sendable {
  /// The name in messages.
  let title: String
  /// Whether `auto` looks for GPUs among the devices.
  let mayHaveGPUs: Bool
  /// The forms of device names; `N`, `P` and `C` stand for numbers. The first form is the default device.
  let forms: [String]
  /// The full name of a device: `opencl` is short for `opencl:0`. `nil` if the text is not a name of this backend.
  let identifier: @Sendable (_ text: String) -> String?
  /// Opens the device with a full name. It throws if there is no such device.
  let open: @Sendable (_ identifier: String) throws(DeviceError) -> any Device
  /// The devices of this machine. It throws if there are none; the error says what to install.
  let devices: @Sendable () throws(DeviceError) -> [DeviceInfo]

  /// All backends, in the order in which devices are listed.
  static let all = [cpu, opencl]

  private static let cpu = Backend(
    title: "CPU", mayHaveGPUs: false, forms: ["cpu"],
    identifier: { $0 == "cpu" ? $0 : nil },
    open: { _ throws(DeviceError) in try CPUDevice.open() },
    devices: { () throws(DeviceError) in [try ComputeDevice.named("cpu").info] })

  private static let opencl = Backend(
    title: "OpenCL", mayHaveGPUs: true, forms: ["opencl", "opencl:N", "opencl:N.P/C"],
    identifier: { text in
      let name = text == "opencl" ? "opencl:0" : text
      return OpenCL.Name(name) == nil ? nil : name
    },
    open: { identifier throws(DeviceError) in
      guard let name = OpenCL.Name(identifier) else { fatalError("\(identifier) is not an OpenCL device name") }
      return try OpenCL.open(name)
    },
    devices: { () throws(DeviceError) in try OpenCL.devices() })
}
