import ApusDevice
import Glibc
import Synchronization

/// A caching allocator of 64-byte aligned host memory.
///
/// Sizes are rounded up to classes, eight to each power of two, and what is released waits in its class
/// for the next request of that class.
final class Allocator: @unchecked Sendable {
  static let alignment = 64
  /// Vectors may be read up to this far behind the last element.
  private static let padding = 64
  private static let hugePageByteCount = 2 << 20

  private struct State {
    var free: [[UnsafeMutableRawPointer]] = []
    var statistics = MemoryStatistics()

    mutating func take(_ number: Int, _ size: Int) -> UnsafeMutableRawPointer? {
      guard number < free.count, let pointer = free[number].popLast() else { return nil }
      statistics.pooled -= size
      statistics.used += size
      statistics.peak = max(statistics.peak, statistics.used)
      return pointer
    }
  }

  private let state = Mutex(State())
  /// Bytes that this process may have in all.
  let limit: Int

  init(limit: Int) { self.limit = limit }

  deinit { releaseUnused() }

  /// The number and the size of the class for a request.
  private static func sizeClass(of byteCount: Int) -> (number: Int, byteCount: Int) {
    let units = max(1, (byteCount + alignment - 1) / alignment)
    guard units > 8 else { return (units - 1, units * alignment) }
    // The class is the number's first four bits, rounded up.
    let shift = (Int.bitWidth - 1 - (units - 1).leadingZeroBitCount) - 3
    let eighths = ((units - 1) >> shift) + 1
    return (8 * (shift + 1) + eighths - 9, (eighths << shift) * alignment)
  }

  func allocate(byteCount: Int) throws(DeviceError) -> UnsafeMutableRawPointer {
    let (number, size) = Self.sizeClass(of: byteCount)
    // The pointer leaves the lock as a number: it belongs to nobody else from here on.
    let pooled = state.withLock { UInt(bitPattern: $0.take(number, size)) }
    if let pointer = UnsafeMutableRawPointer(bitPattern: pooled) { return pointer }
    if let fresh = reserve(size) { return fresh }
    releaseUnused()
    if let fresh = reserve(size) { return fresh }
    throw .outOfMemory(
      device: "cpu", requested: byteCount, used: state.withLock { $0.statistics.used }, available: limit)
  }

  /// Memory from the system, counted as used, or `nil`.
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
    let (number, size) = Self.sizeClass(of: byteCount)
    let address = UInt(bitPattern: pointer)
    state.withLock { state in
      while state.free.count <= number { state.free.append([]) }
      state.free[number].append(UnsafeMutableRawPointer(bitPattern: address)!)
      state.statistics.used -= size
      state.statistics.pooled += size
    }
  }

  func releaseUnused() {
    state.withLock { state in
      for list in state.free {
        for pointer in list { free(pointer) }
      }
      state.free = []
      state.statistics.pooled = 0
    }
  }

  var statistics: MemoryStatistics { state.withLock { $0.statistics } }
}

/// Host memory that returns to its allocator.
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
