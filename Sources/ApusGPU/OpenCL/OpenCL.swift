import ApusDevice

/// The OpenCL devices of this machine.
public enum OpenCL {
  /// What every device of every platform says of itself; `devices()[n]` is `opencl:n`.
  /// - Throws: `DeviceError.unavailable` when there is no loader, no platform or no device; the reason
  ///   says what to install.
  public static func devices() throws(DeviceError) -> [DeviceInfo] {
    try OpenCLEntry.all().map(\.info)
  }

  /// Opens the device `opencl:index`.
  /// - Throws: `DeviceError.unavailable` when there is no such device, or for a variable of the environment that
  ///   is not understood.
  public static func open(_ index: Int) throws(DeviceError) -> any Device {
    try GPUOptions.checkEnvironment(for: "opencl:\(index)")
    return try open(index, options: GPUOptions.environment)
  }

  package static func open(_ index: Int, options: GPUOptions) throws(DeviceError) -> any Device {
    let entries = try OpenCLEntry.all()
    guard entries.indices.contains(index) else {
      throw .unavailable(
        device: "opencl:\(index)",
        reason: "the number of OpenCL devices is \(entries.count), and they are numbered from 0")
    }
    return try GPUDevice(driver: OpenCLDriver(entries[index], options: options), options: options)
  }
}
