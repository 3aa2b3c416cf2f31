import ApusDevice
import Glibc

/// What the operating system says of the machine.
enum HostSystem {
  /// The memory this process may use: the machine's, or its control group's where that is less.
  static var memoryByteCount: Int {
    let machine = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    let group = firstLine(of: "/sys/fs/cgroup/memory.max").flatMap { Int($0) } ?? Int.max
    return min(machine, group)
  }

  /// The processor's name, as in `/proc/cpuinfo`.
  static var processorName: String? {
    guard let text = String(systemFile: "/proc/cpuinfo") else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix("model name") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      return String(line[line.index(after: colon)...].drop { $0 == " " })
    }
    return nil
  }

  static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

  private static func firstLine(of path: String) -> String? {
    String(systemFile: path)?.split(separator: "\n").first.map(String.init)
  }
}
