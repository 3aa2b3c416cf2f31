import ApusDevice
import ApusSystem
import Glibc
import Synchronization

/// A caching allocator of 64-byte aligned host memory.
///
/// Sizes are rounded up to size classes, eight per power of two. Released blocks are cached for later requests of the
/// same class; a `CacheLimit` bounds the bytes of all cached blocks together.
final class Allocator: @unchecked Sendable {
  static let alignment = 64
  /// Vector loads may read up to this many bytes past the last element.
  private static let padding = 64
  private static let hugePageByteCount = 2 << 20

  private struct State {
    var free = CachedBlocks<UnsafeMutableRawPointer>()
    var statistics = MemoryStatistics()

    mutating func take(_ size: Int) -> UnsafeMutableRawPointer? {
      guard let pointer = free.take(byteCount: size) else { return nil }
      statistics.pooled -= size
      statistics.used += size
      statistics.peak = max(statistics.peak, statistics.used)
      return pointer
    }

    mutating func evict(above limit: Int) {
      free.evict(above: limit) { Glibc.free($0) }
      statistics.pooled = free.byteCount
    }
  }

  private let state = Mutex(State())
  /// The maximum number of bytes of all blocks, used and cached.
  let limit: Int
  private let cacheLimit: CacheLimit

  init(limit: Int, cacheLimit: CacheLimit? = nil) {
    self.limit = limit
    self.cacheLimit = cacheLimit ?? CacheLimit(memoryByteCount: limit)
  }

  deinit { releaseUnused() }

  /// The size class of a request.
  static func sizeClass(of byteCount: Int) -> Int {
    let units = max(1, ceilDivide(byteCount, alignment))
    guard units > 8 else { return units * alignment }
    // A unit is `alignment` bytes. The number of units is rounded up, so that all bits after its four leading bits are
    // zeros.
    let shift = (Int.bitWidth - 1 - (units - 1).leadingZeroBitCount) - 3
    return ((((units - 1) >> shift) + 1) << shift) * alignment
  }

  func allocate(byteCount: Int) throws(DeviceError) -> UnsafeMutableRawPointer {
    guard byteCount <= limit else { throw outOfMemory(byteCount) }
    let size = Self.sizeClass(of: byteCount)
    // `withLock` returns the pointer as an integer, because pointers are not `Sendable`. No other thread uses the
    // block: it is no longer in the cache.
    let pooled = state.withLock { UInt(bitPattern: $0.take(size)) }
    if let pointer = UnsafeMutableRawPointer(bitPattern: pooled) { return pointer }
    if let fresh = reserve(size) { return fresh }
    releaseUnused()
    if let fresh = reserve(size) { return fresh }
    throw outOfMemory(byteCount)
  }

  private func outOfMemory(_ byteCount: Int) -> DeviceError {
    .outOfMemory(device: "cpu", requested: byteCount, used: state.withLock { $0.statistics.used }, available: limit)
  }

  /// Allocates memory from the system and counts the memory as used; `nil` if `limit` would be exceeded or the system
  /// has too little memory.
  private func reserve(_ size: Int) -> UnsafeMutableRawPointer? {
    let fits = state.withLock { state in
      guard size <= limit - state.statistics.used - state.statistics.pooled else { return false }
      state.statistics.used += size
      state.statistics.peak = max(state.statistics.peak, state.statistics.used)
      return true
    }
    guard fits else { return nil }
    let isHuge = size >= Self.hugePageByteCount
    var pointer: UnsafeMutableRawPointer?
    if posix_memalign(&pointer, isHuge ? Self.hugePageByteCount : Self.alignment, size + Self.padding) == 0,
      let pointer
    {
      if isHuge { madvise(pointer, size, MADV_HUGEPAGE) }
      return pointer
    }
    state.withLock { $0.statistics.used -= size }
    return nil
  }

  func release(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
    let size = Self.sizeClass(of: byteCount)
    let address = UInt(bitPattern: pointer)
    state.withLock { state in
      state.free.insert(UnsafeMutableRawPointer(bitPattern: address)!, byteCount: size)
      state.statistics.used -= size
      state.statistics.pooled += size
      let most = cacheLimit.byteCount(peak: state.statistics.peak)
      if state.statistics.pooled > most { state.evict(above: most) }
    }
  }

  func releaseUnused() { state.withLock { $0.evict(above: 0) } }

  var statistics: MemoryStatistics { state.withLock { $0.statistics } }
}

/// Host memory that returns to its allocator on deinitialization.
final class CPUBuffer: Buffer, @unchecked Sendable {
  let pointer: UnsafeMutableRawPointer
  private let allocator: Allocator

  init(byteCount: Int, allocator: Allocator) throws(DeviceError) {
    pointer = try allocator.allocate(byteCount: byteCount)
    self.allocator = allocator
    super.init(byteCount: byteCount)
  }

  deinit { allocator.release(pointer, byteCount: byteCount) }
}
