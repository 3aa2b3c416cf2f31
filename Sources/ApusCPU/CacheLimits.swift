/// From how many bytes on memory is taken for more than caches hold: of common machines, not of the one at hand (which
/// `Caches` has), so that the same loops run everywhere.
enum CacheLimits {
  /// An array that no core's own caches hold: its lines are prefetched.
  static let coreByteCount = 2 << 20
  /// A result whose lines are written far apart: they go past the caches.
  static let scatteredByteCount = 4 << 20
  /// All that a step moves, so that no cache has any of it when it ends: results go past the caches, and are not fetched
  /// only to be overwritten.
  static let stepByteCount = 64 << 20
}
