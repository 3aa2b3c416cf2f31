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
    guard let text = contents(of: "/proc/cpuinfo") else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix("model name") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      return String(line[line.index(after: colon)...].drop { $0 == " " })
    }
    return nil
  }

  static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

  private static func firstLine(of path: String) -> String? {
    contents(of: path)?.split(separator: "\n").first.map(String.init)
  }

  private static func contents(of path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 16384)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}
