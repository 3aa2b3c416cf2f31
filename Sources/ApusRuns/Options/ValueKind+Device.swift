import Apus
import ApusSystem

extension ValueKind<String> {
  /// The name of a device. Whether the device exists is known only when it is opened.
  package static let device = ValueKind(
    "D", expectation: "one of \(ComputeDevice.nameForms.joined(separator: ", "))",
    completion: .words(ComputeDevice.nameForms.filter { !$0.contains(":") })
  ) { text in
    ComputeDevice.isName(text) ? text : nil
  }
}

extension ComputeDevice {
  /// The forms of device names for help: `auto, cpu, cuda, cuda:N, opencl, opencl:N or opencl:N.P/C`.
  package static var nameList: String { nameForms.list("or") }

  /// The device for a command: the device of `--device`, else of `APUS_DEVICE`, else the device that `auto` selects.
  /// The selection of `auto` is reported with the reason.
  package static func chosen(by option: String?) throws -> ComputeDevice {
    var name = option ?? "auto"
    if option == nil, let text = nameInEnvironment {
      guard let value = ValueKind.device.parse(text) else {
        throw OptionError("APUS_DEVICE: \(text.quoted()) is not \(ValueKind.device.expectation)")
      }
      name = value
    }
    guard name == "auto" else { return try named(name) }
    let (device, reason) = try automatic()
    Diagnostics.write("device \(device.name): \(reason)")
    return device
  }
}
