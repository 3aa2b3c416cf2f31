import ApusDevice
import Glibc

/// Information from the operating system about the machine.
enum HostSystem {
  /// The processor's name, as in `/proc/cpuinfo`.
  static var processorName: String? {
    guard let text = String(systemFile: "/proc/cpuinfo") else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix("model name") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      return String(line[line.index(after: colon)...].drop { $0 == " " })
    }
    return nil
  }
}
