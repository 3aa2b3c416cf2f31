import ApusTestSupport
import Foundation
import Testing

@testable import ApusSystem

struct HostMemoryTests {
  /// Creates a folder that stands for the root of a Linux file system. `groups` and `mounts` are the texts of
  /// `/proc/self/cgroup` and `/proc/self/mountinfo`; `limits` maps the paths of other files to their texts.
  private func root(_ groups: String, _ mounts: String, _ limits: [String: String]) throws -> ScratchDirectory {
    let scratch = try ScratchDirectory()
    for (path, text) in limits.merging(
      ["proc/self/cgroup": groups, "proc/self/mountinfo": mounts], uniquingKeysWith: { $1 })
    {
      let file = URL(filePath: scratch.file(path))
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try text.write(to: file, atomically: true, encoding: .utf8)
    }
    return scratch
  }

  private func limit(_ groups: String, _ mounts: String, _ limits: [String: String]) throws -> Int? {
    let scratch = try root(groups, mounts, limits)
    return withExtendedLifetime(scratch) { HostMemory.controlGroupByteCount(root: scratch.path) }
  }

  private let unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
  private let version1 =
    "22 27 0:21 / /proc rw - proc proc rw\n32 31 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    + "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"

  /// The smallest limit of the group and of its ancestors applies.
  @Test func nestedGroups() throws {
    let files = [
      "sys/fs/cgroup/user.slice/memory.max": "max\n", "sys/fs/cgroup/user.slice/a/memory.max": "4096\n",
      "sys/fs/cgroup/user.slice/a/b/memory.max": "8192\n", "sys/fs/cgroup/other/memory.max": "1\n",
    ]
    #expect(try limit("0::/user.slice/a/b\n", unified, files) == 4096)
    #expect(try limit("0::/user.slice/a\n", unified, files) == 4096)
    #expect(try limit("0::/user.slice\n", unified, files) == nil)
    #expect(try limit("0::/\n", unified, ["sys/fs/cgroup/memory.max": "777\n"]) == 777)
  }

  @Test func groupsOfVersion1() throws {
    let files = [
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "1000000\n",
      "sys/fs/cgroup/memory/job/part/memory.limit_in_bytes": "9223372036854771712\n",
      "sys/fs/cgroup/cpu/job/memory.limit_in_bytes": "1\n",
    ]
    let groups = "9:name=systemd:/\n4:memory:/job/part\n1:cpu:/job\n0::/\n"
    #expect(try limit(groups, version1, files) == 1_000_000)
    // With both versions at once, the smaller limit applies.
    let both = files.merging(["sys/fs/cgroup/unified/memory.max": "500\n"]) { $1 }
    let mounts = version1 + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    #expect(try limit(groups, mounts, both) == 500)
  }

  /// A container sees its group at the mount point. The path of the group outside of the container does not matter.
  @Test func groupsOfContainers() throws {
    let mount = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    let files = ["sys/fs/cgroup/memory/memory.limit_in_bytes": "2048\n"]
    #expect(try limit("4:memory:/docker/abc\n", mount, files) == 2048)
    #expect(try limit("0::/../../x\n", unified, ["sys/fs/cgroup/memory.max": "99\n"]) == 99)
  }

  @Test func noGroupsAreNoLimit() throws {
    #expect(try limit("", "", [:]) == nil)
    #expect(HostMemory.controlGroupByteCount(root: "/no/such/folder") == nil)
    #expect(HostMemory.byteCount > 1 << 28)
  }
}
