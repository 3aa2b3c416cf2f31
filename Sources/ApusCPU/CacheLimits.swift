/// Byte counts above which data is assumed not to fit into caches. They are fixed values that suit common machines, so
/// that all machines choose the same loops; `Caches` describes the current machine.
enum CacheLimits {
  /// An array above this size does not fit into a core's private caches, so loops prefetch its cache lines.
  static let coreByteCount = 2 << 20
  /// A result above this size is written with non-temporal stores if consecutive writes are to distant cache lines.
  static let scatteredByteCount = 4 << 20
  /// If a step moves more than this number of bytes, its results are not in a cache when the step ends. So they are
  /// written with non-temporal stores, which do not read a cache line before they overwrite it.
  static let stepByteCount = 64 << 20
}
