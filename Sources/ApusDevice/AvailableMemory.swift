extension MemoryStatistics {
  /// `max(0, min(limit − used, free + pooled))`, the bytes that a device with `limit` bytes can still allocate: `used`
  /// bytes are in use, and `pooled` bytes are cached for reuse.
  /// - Parameter free: the bytes that no process uses; `nil` if they are unknown, which counts as `limit`.
  package func available(limit: Int, free: Int?) -> Int {
    max(0, min(limit - used, (free ?? limit) + pooled))
  }
}
