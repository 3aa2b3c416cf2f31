import ApusCPU
import ApusDevice
import ApusGPU
import ApusTensor

/// Returns all backends, in the order in which devices are listed. `Backend.all` calls this function.
@_silgen_name("apus_backends")
package func backends() -> [Backend] { [.cpu, .opencl] }

extension Backend {
  fileprivate static let cpu = Backend(
    title: "CPU", mayHaveGPUs: false, forms: ["cpu"],
    identifier: { $0 == "cpu" ? $0 : nil },
    open: { _ throws(DeviceError) in try CPUDevice.open() },
    devices: { () throws(DeviceError) in [try ComputeDevice.named("cpu").info] })

  fileprivate static let opencl = Backend(
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
