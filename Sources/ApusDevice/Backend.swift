/// A row of the table of backends: how the devices of one kind are named, listed and opened.
///
/// The module of a backend defines its row: ApusCPU, for example, defines `Backend.cpu`. ApusBackends lists the rows.
package struct Backend: Sendable {
  /// The name in messages.
  package let title: String
  /// Whether the device name `auto` looks for GPUs among the devices of the backend.
  package let mayHaveGPUs: Bool
  /// The forms of device names; `N`, `P` and `C` stand for numbers. The first form names the default device.
  package let forms: [String]
  /// Returns the full name of the device that `text` names, such as `opencl:0` for `opencl`; `nil` if no device name of
  /// this backend has the form of `text`.
  package let identifier: @Sendable (_ text: String) -> String?
  /// Opens the device with the full name `identifier`; throws if there is no such device.
  package let open: @Sendable (_ identifier: String) throws(DeviceError) -> any Device
  /// Returns the devices of this machine; throws if there are none, with an error that says what to install.
  package let devices: @Sendable () throws(DeviceError) -> [DeviceInfo]

  package init(
    title: String, mayHaveGPUs: Bool, forms: [String], identifier: @escaping @Sendable (_ text: String) -> String?,
    open: @escaping @Sendable (_ identifier: String) throws(DeviceError) -> any Device,
    devices: @escaping @Sendable () throws(DeviceError) -> [DeviceInfo]
  ) {
    (self.title, self.mayHaveGPUs, self.forms) = (title, mayHaveGPUs, forms)
    (self.identifier, self.open, self.devices) = (identifier, open, devices)
  }
}
