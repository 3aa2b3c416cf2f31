import ApusSystem
import Glibc

/// A cache of free blocks of device memory, which are reused for requests of the same size.
///
/// The least recently used block is evicted first. The memory pools of the CPU and of GPUs use this cache.
public struct CachedBlocks<Block> {
  @usableFromInline struct Entry {
    @usableFromInline let block: Block
    /// The insertion number: the block with the smallest number is the oldest.
    @usableFromInline let number: Int

    @usableFromInline init(block: Block, number: Int) { (self.block, self.number) = (block, number) }
  }

  /// The blocks of one size, the most recent at the end. Entries before `first` have been removed.
  @usableFromInline struct Queue {
    @usableFromInline var entries: [Entry?] = []
    @usableFromInline var first = 0

    @usableFromInline init() {}

    @inlinable var oldest: Int? { first < entries.count ? entries[first]?.number : nil }

    @inlinable mutating func removeLast() -> Entry? {
      guard first < entries.count, let entry = entries.removeLast() else { return nil }
      if first == entries.count { clear() }
      return entry
    }

    @inlinable mutating func removeFirst() -> Entry? {
      guard first < entries.count, let entry = entries[first] else { return nil }
      entries[first] = nil
      first += 1
      if first == entries.count {
        clear()
      } else if first > 64, 2 * first > entries.count {
        entries.removeFirst(first)
        first = 0
      }
      return entry
    }

    @inlinable mutating func clear() {
      entries.removeAll(keepingCapacity: true)
      first = 0
    }
  }

  /// The block sizes seen so far, in ascending order. `queues[i]` contains the free blocks of size `sizes[i]`. A size
  /// is found by binary search, without a hash: six comparisons for 63 sizes.
  @usableFromInline var sizes: [Int] = []
  @usableFromInline var queues: [Queue] = []
  /// The number of insertions so far, which is the number of the next entry.
  @usableFromInline var count = 0
  /// The bytes of all blocks in the cache.
  public private(set) var byteCount = 0

  public init() {}

  /// Adds a block that is not used any more.
  @inlinable public mutating func insert(_ block: Block, byteCount size: Int) {
    let index = firstIndex(from: size)
    if index == sizes.count || sizes[index] != size {
      sizes.insert(size, at: index)
      queues.insert(Queue(), at: index)
    }
    queues[index].entries.append(Entry(block: block, number: count))
    count += 1
    add(size)
  }

  /// Removes and returns the most recently used block of a size; `nil` when there is none.
  @inlinable public mutating func take(byteCount size: Int) -> Block? {
    let index = firstIndex(from: size)
    guard index < sizes.count, sizes[index] == size, let entry = queues[index].removeLast() else { return nil }
    add(-size)
    return entry.block
  }

  /// Removes the least recently used blocks until at most `limit` bytes remain.
  @inlinable public mutating func evict(above limit: Int, _ release: (Block) -> Void) {
    while byteCount > limit, let index = oldestQueue(), let entry = queues[index].removeFirst() {
      add(-sizes[index])
      release(entry.block)
    }
  }

  /// The index of the first size that is at least `size`.
  @usableFromInline func firstIndex(from size: Int) -> Int {
    (0..<sizes.count).partitionPoint { sizes[$0] < size }
  }

  /// The index of the queue with the oldest block. The linear search runs only for evictions.
  @usableFromInline func oldestQueue() -> Int? {
    var found: (index: Int, number: Int)?
    for index in queues.indices {
      guard let number = queues[index].oldest, number < found?.number ?? .max else { continue }
      found = (index, number)
    }
    return found?.index
  }

  @usableFromInline mutating func add(_ size: Int) { byteCount += size }
}

/// The maximum number of bytes of free memory blocks that a device keeps for reuse.
///
/// The limit is three times the peak usage, but at least 64 MiB and at most half of the device's memory. So plans that
/// run in turn (the two networks of a GAN, training and evaluation) reuse their blocks. `APUS_CACHED_MEMORY` sets
/// another limit, in MiB; 0 keeps nothing.
public struct CacheLimit: Sendable {
  private static let peakFactor = 3
  /// The smallest limit; it applies if the peak usage is less than a third of this number.
  private static let leastByteCount = 64 << 20

  private let memoryByteCount: Int
  private let fixedByteCount: Int?

  /// Creates the limit of a device with `memoryByteCount` bytes of memory.
  /// - Parameter fixedByteCount: a limit that does not depend on usage, by default the value of `APUS_CACHED_MEMORY`;
  /// `nil` for the limit that depends on usage.
  public init(memoryByteCount: Int, fixedByteCount: Int? = CacheLimit.environment) {
    (self.memoryByteCount, self.fixedByteCount) = (memoryByteCount, fixedByteCount)
  }

  /// `APUS_CACHED_MEMORY` in bytes; `nil` when it is not set or not valid.
  public static let environment: Int? = Environment["APUS_CACHED_MEMORY"].flatMap(byteCount)

  /// The reason why `APUS_CACHED_MEMORY` is invalid; `nil` when it is valid or not set.
  public static var environmentError: String? {
    guard let text = Environment["APUS_CACHED_MEMORY"], byteCount(text) == nil else {
      return nil
    }
    return "APUS_CACHED_MEMORY is \"\(text.prefix(40))\"; it must be a number of MiB from 0 to \(most)"
  }

  private static let most = 1 << 30

  private static func byteCount(_ text: String) -> Int? {
    Int(text).flatMap { (0...most).contains($0) ? $0 << 20 : nil }
  }

  /// The limit in bytes for a peak usage of `peak` bytes.
  public func byteCount(peak: Int) -> Int {
    if let fixedByteCount { return fixedByteCount }
    let (multiple, overflow) = peak.multipliedReportingOverflow(by: CacheLimit.peakFactor)
    return min(memoryByteCount / 2, max(CacheLimit.leastByteCount, overflow ? .max : multiple))
  }
}
