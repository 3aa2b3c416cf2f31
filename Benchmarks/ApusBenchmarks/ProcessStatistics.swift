import Apus
import Glibc

/// Statistics of this process from `/proc`. A statistic is `nil` if the system does not provide it.
enum ProcessStatistics {
  /// Milliseconds since the process was started, with the resolution of a clock tick (10 ms). Field 22 of
  /// `/proc/self/stat` is the start time, in ticks since the machine was started.
  static var age: Double? {
    // The second field is the program's name in parentheses. It may contain any character.
    guard let text = String(systemFile: "/proc/self/stat"), let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[end...].split(separator: " ")
    guard fields.count > 20, let ticks = Double(fields[20]) else { return nil }
    var now = timespec()
    clock_gettime(CLOCK_BOOTTIME, &now)
    return Double(now.tv_sec) * 1e3 + Double(now.tv_nsec) / 1e6 - ticks * 1e3 / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  /// The current resident memory, in bytes.
  static var residentByteCount: Int? { status("VmRSS:") }

  /// The peak of the resident memory, in bytes.
  static var peakByteCount: Int? { status("VmHWM:") }

  private static func status(_ key: String) -> Int? {
    guard let text = String(systemFile: "/proc/self/status") else { return nil }
    let line = text.split(separator: "\n").first { $0.hasPrefix(key) }
    return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
  }
}
