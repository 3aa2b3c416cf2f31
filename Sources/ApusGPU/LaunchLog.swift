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
    if label.flops > 0 { rates.append("\((label.flops / time).text(places: 1)) GFLOP/s") }
    if label.bytes > 0 { rates.append("\((label.bytes / time).text(places: 1)) GB/s") }
    warn(
      "\(device): \(label.detail) · \((time / 1000).text(places: 1)) µs · \(rates.joined(separator: " · ")) · \(label.operation)"
    )
  }
}
