import Glibc

/// Writes a line to stderr in one call, so that lines of several threads do not mix.
func warn(_ text: String) {
  let line = Array("apus: \(text)\n".utf8)
  line.withUnsafeBytes { _ = write(STDERR_FILENO, $0.baseAddress!, $0.count) }
}

/// The lines of `APUS_DEBUG=1`.
enum LaunchLog {
  /// Writes what a launch did in which time.
  static func write(device: String, _ label: LaunchLabel, nanoseconds: UInt64) {
    let time = Double(max(nanoseconds, 1))
    var rates: [String] = []
    if label.flops > 0 { rates.append("\(tenths(label.flops / time)) GFLOP/s") }
    if label.bytes > 0 { rates.append("\(tenths(label.bytes / time)) GB/s") }
    warn(
      "\(device): \(label.detail) · \(tenths(time / 1000)) µs · \(rates.joined(separator: " · ")) · \(label.operation)")
  }

  private static func tenths(_ value: Double) -> String {
    let count = Int((value * 10).rounded())
    return "\(count / 10).\(count % 10)"
  }
}
