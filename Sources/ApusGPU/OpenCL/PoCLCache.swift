import ApusDevice
import ApusSystem
import Glibc
import Synchronization

/// The folder in which PoCL stores the kernels that it builds, and from which it loads them again.
///
/// PoCL neither checks its default folder nor protects it from other users. So Apus sets the variable `POCL_CACHE_DIR`
/// to a subfolder of its own cache folder, unless the user has set it. PoCL reads the variable when its devices are
/// first queried.
enum PoCLCache {
  private static let isPrepared = Atomic(false)

  /// Sets `POCL_CACHE_DIR` at the first call, which must precede the first query of a platform.
  static func prepare() {
    guard !isPrepared.exchange(true, ordering: .acquiringAndReleasing) else { return }
    setDirectory(in: GPUOptions.environment.cacheDirectory)
  }

  /// If the file system of the cache has less free space, the user is warned, because builds may fail without naming
  /// the reason.
  private static let leastFreeByteCount = 16 << 20

  private static var variable: String? {
    Environment["POCL_CACHE_DIR"]
  }

  private static func setDirectory(in cache: String?) {
    guard let cache else { return }
    if variable == nil {
      // PoCL ends the process if the variable is empty.
      unsetenv("POCL_CACHE_DIR")
      let folder = cache + "/pocl"
      do throws(FileError) {
        try FileSystem.createPrivateDirectory(cache)
        try FileSystem.createPrivateDirectory(folder)
        setenv("POCL_CACHE_DIR", folder, 1)
      } catch {
        // If one of the folders exists, other users may be able to write programs to it, so PoCL's kernel cache is
        // disabled. If neither exists, PoCL chooses a folder or reports an error.
        if FileSystem.exists(folder) || FileSystem.exists(cache) { setenv("POCL_KERNEL_CACHE", "0", 0) }
      }
    }
    guard let folder = variable, let free = FileSystem.freeByteCount(folder), free < leastFreeByteCount else { return }
    warn(
      "the file system of the cache \(folder.printable()) has only \(free) free bytes, so kernels may fail to build; "
        + "free some space, or set XDG_CACHE_HOME to another folder")
  }
}
