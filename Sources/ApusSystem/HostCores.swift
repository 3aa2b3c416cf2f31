import Glibc

package enum HostCores {
  /// The number of cores that this process may use: the cores in its affinity mask, but at most the online cores.
  package static let count: Int = {
    let online = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    let title = "Cpus_allowed:"
    let lines = String(systemFile: "/proc/self/status")?.split(separator: "\n") ?? []
    guard let mask = lines.first(where: { $0.hasPrefix(title) })?.dropFirst(title.count) else { return online }
    return max(1, min(online, mask.reduce(0) { $0 + ($1.hexDigitValue ?? 0).nonzeroBitCount }))
  }()
}
