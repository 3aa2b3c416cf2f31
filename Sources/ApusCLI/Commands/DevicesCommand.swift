import Apus
import ApusRuns
import ApusSystem

enum DevicesCommand: Command {
  static let name = "devices"
  static let summary = "list the devices that --device takes"
  static let json = Flag("json", help: "print one JSON object per line")
  static let declarations = [json.declaration]
  static let discussion = """
    --device auto selects a discrete GPU if there is one, else the CPU. Devices that cannot be used are listed with
    the reason.
    """

  static func run(_ arguments: Arguments) throws {
    let (devices, problems) = ComputeDevice.available()
    if arguments[json] {
      for device in devices { try StandardOutput.write(device.json) }
      for problem in problems {
        try StandardOutput.write(["available": false, "reason": .string(problem.description)])
      }
    } else {
      var table = TextTable("DEVICE", "UNITS", "MEMORY", "FLOAT64", "NAME")
      for device in devices {
        table.append(
          device.identifier, String(device.computeUnits), device.memoryByteCount.byteText,
          device.supportsFloat64 ? "yes" : "no", "\(device.name), \(device.driver)")
      }
      try StandardOutput.write(line: table.text)
      for problem in problems { Diagnostics.write(problem.description) }
    }
    if devices.isEmpty { throw problems.first ?? .unavailable(device: "auto", reason: "no device was found") }
  }
}

extension DeviceInfo {
  fileprivate var json: JSON {
    [
      "name": .string(identifier), "available": true, "kind": .string(kind.rawValue), "title": .string(name),
      "vendor": .string(vendor), "driver": .string(driver), "compute_units": .integer(computeUnits),
      "memory_bytes": .integer(memoryByteCount),
      "maximum_allocation_bytes": .integer(maximumAllocationByteCount), "float64": .bool(supportsFloat64),
      "discrete_gpu": .bool(isDiscreteGPU),
    ]
  }
}
