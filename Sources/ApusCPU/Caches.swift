import Glibc

/// The caches of a core. They affect how a matrix product is split and how its factors are packed and prefetched, but
/// never the result. Other steps use the limits in `CacheLimits`, which are the same on all machines.
struct Caches: Sendable {
  /// The associativity (number of ways) of the L1 data cache.
  var firstLevelWays: Int
  var secondLevelByteCount: Int

  /// The caches of the core on which this property is first read; zeros if the system does not report them.
  static let host = Caches(
    firstLevelWays: max(0, sysconf(Int32(_SC_LEVEL1_DCACHE_ASSOC))),
    secondLevelByteCount: max(0, sysconf(Int32(_SC_LEVEL2_CACHE_SIZE))))

  /// Whether `BlockSchedule` may leave left factors, and right factors with long rows, unpacked. The L1 cache must have
  /// a way for each of the 12 rows that a kernel reads at a time, since all rows may map to one set; and the data of a
  /// task must fit into the L2 cache. Both limits were measured on Intel's Emerald Rapids (12 ways, 2 MiB).
  var favorsUnpackedFactors: Bool { firstLevelWays >= 12 && secondLevelByteCount >= 2 << 20 }

  /// Whether the hardware prefetches as many streams of cache lines as a product of one row and a matrix reads at a
  /// time. If so, this product issues no prefetch instructions: on Emerald Rapids, 1x4096x4096 with a transposed right
  /// factor takes 1.35 ms without these instructions and 2.25 ms with them.
  var prefetchesManyLines: Bool { favorsUnpackedFactors }
}
