import Glibc

/// The memory of the host that this process may use.
package enum HostMemory {
  /// The memory in bytes: the minimum of the machine's memory, the limits of the control groups and `ulimit -v`.
  package static let byteCount = min(
    machineByteCount, addressSpaceByteCount ?? .max, controlGroupByteCount(root: "") ?? .max)

  private static var machineByteCount: Int {
    sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
  }

  /// The limit of `ulimit -v`; `nil` when there is none.
  private static var addressSpaceByteCount: Int? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0 else { return nil }
    return Int(exactly: limit.rlim_cur)
  }

  /// The lowest limit of the control groups of this process and of their ancestors; `nil` without a limit.
  ///
  /// `/proc/self/cgroup` names the groups, and `/proc/self/mountinfo` names the mount points of their files. A machine
  /// may have groups of cgroup version 2 (the unified hierarchy) and groups of the memory controller of version 1, so
  /// both are read.
  ///
  /// - Parameter root: a folder that replaces `/`, for tests
  package static func controlGroupByteCount(root: String) -> Int? {
    guard let groups = String(systemFile: "\(root)/proc/self/cgroup"),
      let mounts = String(systemFile: "\(root)/proc/self/mountinfo", limit: 1 << 20)
    else { return nil }
    let hierarchies = mounts.split(separator: "\n").compactMap { ControlGroupMount($0) }
    var least: Int?
    for line in groups.split(separator: "\n") {
      // A line has the form `number:controllers:path`. In version 2, `controllers` is empty.
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isUnified = parts[1].isEmpty
      guard isUnified || parts[1].split(separator: ",").contains("memory") else { continue }
      for mount in hierarchies where mount.isUnified == isUnified {
        for folder in mount.folders(of: parts[2]) {
          let file = "\(root)\(folder)/\(isUnified ? "memory.max" : "memory.limit_in_bytes")"
          // Version 2 writes "max" when there is no limit.
          let limit = String(systemFile: file)?.split(separator: "\n").first.flatMap { Int($0) }
          if let limit { least = min(least ?? limit, limit) }
        }
      }
    }
    return least
  }
}

/// A mounted hierarchy of control groups that limits memory, parsed from a line of `mountinfo`.
private struct ControlGroupMount {
  let isUnified: Bool
  /// The group whose files are at the mount point.
  private let group: String
  private let point: String

  /// Parses a line; `nil` for other mounts.
  ///
  /// ```text
  /// 32 31 0:29 /group /sys/fs/cgroup/memory rw,relatime … - cgroup cgroup rw,memory
  /// ```
  init?(_ line: Substring) {
    let fields = line.split(separator: " ")
    guard let dash = fields.firstIndex(of: "-"), dash >= 5, fields.count > dash + 3 else { return nil }
    switch fields[dash + 1] {
    case "cgroup2": isUnified = true
    case "cgroup" where fields[dash + 3].split(separator: ",").contains("memory"): isUnified = false
    default: return nil
    }
    group = String(fields[3])
    point = String(fields[4])
  }

  /// The folders of a group and of its ancestors, up to the mount point.
  func folders(of path: Substring) -> [String] {
    // A process in a cgroup namespace may see groups outside of the mount as `/..`. Then only the limit at the mount
    // point is known.
    var names = path.split(separator: "/")
    let outer = group.split(separator: "/")
    if names.starts(with: outer) { names.removeFirst(outer.count) }
    guard !names.contains("..") else { return [point] }
    return (0...names.count).map { point + names[..<$0].map { "/\($0)" }.joined() }
  }
}
