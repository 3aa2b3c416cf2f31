import ApusFiles
import Glibc
import Synchronization

/// The folder in which PoCL keeps what it builds, and runs it from.
///
/// Its own choice is a folder that it neither checks nor keeps from others, so it gets one in Apus's cache, unless the
/// user has named another with `POCL_CACHE_DIR`. It reads the variable when its devices are first asked for.
enum PoCLCache {
  private static let isPrepared = Atomic(false)

  /// Done once, ahead of the first question to a platform.
  static func prepare() {
    guard !isPrepared.exchange(true, ordering: .acquiringAndReleasing) else { return }
    prepare(in: GPUOptions.environment.cacheDirectory)
  }

  /// With less room than this, builds fail in ways that do not name the reason.
  private static let leastFreeByteCount = 16 << 20

  private static var variable: String? {
    getenv("POCL_CACHE_DIR").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }

  private static func prepare(in cache: String?) {
    guard let cache else { return }
    if variable == nil {
      // With an empty one PoCL ends the process.
      unsetenv("POCL_CACHE_DIR")
      let folder = cache + "/pocl"
      do throws(FileError) {
        try FileSystem.createPrivateDirectory(cache)
        try FileSystem.createPrivateDirectory(folder)
        setenv("POCL_CACHE_DIR", folder, 1)
      } catch {
        // Others could put programs in its place. Where there is no folder at all, PoCL finds its own or says so.
        if FileSystem.exists(folder) || FileSystem.exists(cache) { setenv("POCL_KERNEL_CACHE", "0", 0) }
      }
    }
    guard let folder = variable, let free = FileSystem.freeByteCount(folder), free < leastFreeByteCount else { return }
    warn(
      "the disk of the cache \(folder.printable()) has \(free) bytes left: kernels may not build; make room, or name "
        + "another with XDG_CACHE_HOME")
  }
}
