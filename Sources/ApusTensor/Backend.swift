import ApusDevice

/// A kind of device: how its devices are named, listed and opened. The module ApusBackends has a row for each backend.
///
/// Tensors know only the contract of devices. So a change in a backend compiles that backend again, not this module and
/// all modules above.
package struct Backend: Sendable {
  /// The name in messages.
  package let title: String
  /// Whether `auto` looks for GPUs among the devices.
  package let mayHaveGPUs: Bool
  /// The forms of device names; `N`, `P` and `C` stand for numbers. The first form is the default device.
  package let forms: [String]
  /// The full name of a device: `opencl` is short for `opencl:0`. `nil` if the text is not a name of this backend.
  package let identifier: @Sendable (_ text: String) -> String?
  /// Opens the device with a full name. It throws if there is no such device.
  package let open: @Sendable (_ identifier: String) throws(DeviceError) -> any Device
  /// The devices of this machine. It throws if there are none; the error says what to install.
  package let devices: @Sendable () throws(DeviceError) -> [DeviceInfo]

  package init(
    title: String, mayHaveGPUs: Bool, forms: [String], identifier: @escaping @Sendable (_ text: String) -> String?,
    open: @escaping @Sendable (_ identifier: String) throws(DeviceError) -> any Device,
    devices: @escaping @Sendable () throws(DeviceError) -> [DeviceInfo]
  ) {
    (self.title, self.mayHaveGPUs, self.forms) = (title, mayHaveGPUs, forms)
    (self.identifier, self.open, self.devices) = (identifier, open, devices)
  }

  /// All backends, in the order in which devices are listed.
  static let all = linkedBackends()
}

/// The rows of ApusBackends. The linker resolves this function, because that module imports this one.
@_silgen_name("apus_backends")
private func linkedBackends() -> [Backend]
