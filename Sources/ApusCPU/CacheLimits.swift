/// Byte counts above which data is assumed not to fit into caches. They describe common machines, not the current one
/// (see `Caches`), so that the same loops run on all machines.
enum CacheLimits {
  /// Above this size, an array does not fit into a core's private caches: its cache lines are prefetched.
  static let coreByteCount = 2 << 20
  /// Above this size, a result whose cache lines are written far apart is written with non-temporal stores.
  static let scatteredByteCount = 4 << 20
  /// Above this many bytes moved by a step, no cache holds any of them when the step ends: results are written with
  /// non-temporal stores, which do not read a cache line before they overwrite it.
  static let stepByteCount = 64 << 20
}
