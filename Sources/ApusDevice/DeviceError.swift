/// What can go wrong on a device, with what is needed to get out of it.
public enum DeviceError: Error, Hashable, Sendable {
  /// No such device or no driver. `reason` says why and what to install.
  case unavailable(device: String, reason: String)
  /// `requested` bytes did not fit, after the pool was flushed and the request repeated.
  case outOfMemory(device: String, requested: Int, used: Int, available: Int)
  /// A kernel did not build.
  case buildFailed(device: String, kernel: String, log: String)
  /// A kernel did not run.
  case launchFailed(device: String, kernel: String, reason: String)
  /// An index was outside its axis, or an id below the one before it. `fault` is the first one; `nil` where it is lost,
  /// as in a loop on a GPU.
  case indexOutOfRange(device: String, operation: String, fault: IndexFault?)
  /// The device or its driver stopped answering; the process must open it again.
  case lost(device: String, reason: String)
  /// The device lacks what the plan needs, for example `float64`.
  case unsupported(device: String, feature: String)
  /// NaN or an infinity came up where anomalies are looked for. The values are there.
  case notFinite(Anomaly)
}

extension DeviceError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unavailable(let device, let reason):
      return "device \(device) is not available: \(reason)"
    case .outOfMemory(let device, let requested, let used, let available):
      return
        "device \(device) is out of memory: \(requested.byteText) asked for, \(used.byteText) in use, "
        + "\(available.byteText) in all; a smaller batch needs less"
    case .buildFailed(let device, let kernel, let log):
      return "device \(device) could not build \(kernel); the device cpu runs without it, and with "
        + "APUS_KEEP_KERNELS=DIR the text is kept for a report:\n\(excerpt(log))"
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

  /// The start of a compiler's log: one mistake can make it thousands of lines long.
  private func excerpt(_ log: String) -> String {
    let lines = log.split(separator: "\n")
    let rest = lines.count > 12 ? "\n… and \(lines.count - 12) lines more" : ""
    return lines.prefix(12).joined(separator: "\n") + rest
  }
}
