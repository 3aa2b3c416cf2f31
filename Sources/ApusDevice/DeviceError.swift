/// An error of a device, with what the user needs to resolve it.
public enum DeviceError: Error, Hashable, Sendable {
  /// There is no such device, or its driver or settings do not work. `reason` says why, and what to do.
  case unavailable(device: String, reason: String)
  /// The device cannot provide `requested` bytes. `used` bytes are in use, and the limit is `available` bytes.
  case outOfMemory(device: String, requested: Int, used: Int, available: Int)
  /// A kernel did not build.
  case buildFailed(device: String, kernel: String, log: String)
  /// A kernel did not run.
  case launchFailed(device: String, kernel: String, reason: String)
  /// An index was out of range, or a segment id was smaller than its predecessor. `fault` is the first fault; `nil` if
  /// it is unknown, as in a loop on an OpenCL or CUDA device.
  case indexOutOfRange(device: String, operation: String, fault: IndexFault?)
  /// The device, or the connection to it, was lost, for example after an illegal memory access. A process opens a
  /// device once, so only another process can use the device again.
  case lost(device: String, reason: String)
  /// The device lacks a feature that the plan requires, for example `float64`.
  case unsupported(device: String, feature: String)
  /// Anomaly detection found NaN or an infinity. The values have been computed and can still be read.
  case notFinite(Anomaly)
}

extension DeviceError {
  /// Returns the error for a buffer or plan that belongs to another device.
  package static func foreign(_ what: String, device: String) -> DeviceError {
    .launchFailed(device: device, kernel: "a plan", reason: "the \(what) belongs to another device")
  }

  /// Returns the error for the device name `prefix:index` if only `prefix:0` to `prefix:(count - 1)` exist.
  package static func unknownIndex(_ index: Int, of title: String, prefix: String, count: Int) -> DeviceError {
    let known =
      count == 1
      ? "the only \(title) device is \(prefix):0" : "the \(title) devices are \(prefix):0 to \(prefix):\(count - 1)"
    return .unavailable(device: "\(prefix):\(index)", reason: known)
  }
}

extension DeviceError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unavailable(let device, let reason):
      return "device \(device) is not available: \(reason)"
    case .outOfMemory(let device, let requested, let used, let available):
      return
        "device \(device) is out of memory: \(requested.byteText) requested, \(used.byteText) in use, "
        + "\(available.byteText) available in total; use a smaller batch"
    case .buildFailed(let device, let kernel, let log):
      return "device \(device) could not build \(kernel); use the device cpu, or set APUS_KEEP_KERNELS=DIR to save "
        + "the kernel source for a report:\n\(excerpt(log))"
    case .launchFailed(let device, let kernel, let reason):
      return "device \(device) could not run \(kernel): \(reason)"
    case .indexOutOfRange(let device, let operation, let fault):
      return "\(operation): \(fault?.description ?? "an index is outside its axis") (found on device \(device))"
    case .lost(let device, let reason):
      return "device \(device) was lost: \(reason)"
    case .unsupported(let device, let feature):
      return "device \(device) does not support \(feature)"
    case .notFinite(let anomaly):
      return anomaly.description
    }
  }

  /// The first lines of a compiler's log: one error can produce thousands of lines.
  private func excerpt(_ log: String) -> String {
    let lines = log.split(separator: "\n")
    let rest = lines.count > 12 ? "\n… and \(lines.count - 12) more lines" : ""
    return lines.prefix(12).joined(separator: "\n") + rest
  }
}
