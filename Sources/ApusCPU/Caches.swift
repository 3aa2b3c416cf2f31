import Glibc

/// The caches of a core, as far as it depends on them how products are computed; no result does.
struct Caches: Sendable {
  /// The lines of a first-level cache that addresses 4 KiB apart can lie in.
  var firstLevelWays: Int
  var secondLevelByteCount: Int

  /// Those of this machine; zeros where it does not say.
  static let host = Caches(
    firstLevelWays: max(0, sysconf(Int32(_SC_LEVEL1_DCACHE_ASSOC))),
    secondLevelByteCount: max(0, sysconf(Int32(_SC_LEVEL2_CACHE_SIZE))))

  /// Whether a tile reads factors from where they lie about as fast as packed ones: rows a power of two apart fit beside
  /// each other, and a second-level cache holds what a task reads. Such machines also prefetch many lines at a time.
  var servesFactorsInPlace: Bool { firstLevelWays >= 12 && secondLevelByteCount >= 2 << 20 }
}
