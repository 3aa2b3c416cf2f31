import ApusDevice

extension Backend {
  /// The processor: one device, `cpu`.
  package static let cpu = Backend(
    title: "CPU", mayHaveGPUs: false, forms: ["cpu"],
    identifier: { $0 == "cpu" ? $0 : nil },
    open: { _ throws(DeviceError) in try CPUDevice.open() },
    devices: { () throws(DeviceError) in [try CPUDevice.hostInfo()] })
}
