import Glibc

/// What can be asked of the host's memory ahead of a large array: Swift's own end the process where there is none.
package enum HostAllocation {
  /// Sizes below are not asked for: a process that cannot have them cannot go on anyway.
  private static let leastByteCount = 1 << 20

  /// Whether the system can allocate a number of bytes at this moment.
  package static func isPossible(_ byteCount: Int) -> Bool {
    guard byteCount >= leastByteCount else { return byteCount >= 0 }
    // Some systems promise more than there is.
    guard byteCount <= sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) else { return false }
    let memory = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != MAP_FAILED else { return false }
    munmap(memory, byteCount)
    return true
  }
}
