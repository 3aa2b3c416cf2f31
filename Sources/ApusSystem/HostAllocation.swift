import Glibc

/// A check of the host's memory before a large array is allocated: a failed allocation of a Swift array ends the
/// process.
package enum HostAllocation {
  /// Smaller sizes are not checked: a process that cannot allocate them cannot continue anyway.
  private static let leastByteCount = 1 << 20

  /// Whether the system can allocate a number of bytes at this moment.
  package static func isPossible(_ byteCount: Int) -> Bool {
    guard byteCount >= leastByteCount else { return byteCount >= 0 }
    // Systems that overcommit memory grant `mmap` more than the machine has.
    guard byteCount <= sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) else { return false }
    let memory = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != MAP_FAILED else { return false }
    munmap(memory, byteCount)
    return true
  }
}
