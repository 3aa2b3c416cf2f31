import ApusDevice

extension Backend {
  /// The devices of all OpenCL platforms, and sub-devices, which are equal parts of a device's compute units. `opencl`
  /// is the first device, and `opencl:N.P/C` is part `P`, counted from 0, of `C` parts of device `N`.
  package static let opencl = Backend(
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
