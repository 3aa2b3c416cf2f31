import ApusDevice
import ApusSystem
import Glibc
import Synchronization

/// The number of padding bytes at the end of every block of device memory. Kernels read whole vector registers of 16
/// elements even where fewer remain. With a stride of 2, a register has every second of 32 elements; 32 elements of 8
/// bytes have 256 bytes.
let blockSlack = 256

/// A pool of device memory blocks that are reused by size.
///
/// A block may be reused while earlier work on it is still pending: the device runs work in order, so the work of the
/// block's next owner runs later.
final class MemoryPool<Driver: GPUDriver>: Sendable {
  struct Block: Sendable {
    var memory: Driver.Memory
    var capacity: Int
  }

  private let driver: Driver
  private let fillsNewMemory: Bool
  private let cacheLimit: CacheLimit
  private let state = Mutex(State())

  private struct State {
    var free = CachedBlocks<Driver.Memory>()
    var counts = MemoryStatistics()

    mutating func use(_ block: Block) -> Block {
      counts.used += block.capacity
      counts.peak = max(counts.peak, counts.used)
      return block
    }

    mutating func evict(above limit: Int) {
      guard counts.pooled > limit else { return }
      // The memory of an evicted block is freed with its last reference, so the closure need not free it.
      free.evict(above: limit) { _ in }
      counts.pooled = free.byteCount
    }
  }

  /// - Parameters:
  ///   - fillsNewMemory: whether new memory is filled with 0xA5 bytes, so that reads of uninitialized memory give wrong
  ///     results.
  ///   - cacheLimit: the limit of the memory that is kept for reuse.
  init(driver: Driver, fillsNewMemory: Bool, cacheLimit: CacheLimit? = nil) {
    self.driver = driver
    self.fillsNewMemory = fillsNewMemory
    self.cacheLimit = cacheLimit ?? CacheLimit(memoryByteCount: driver.info.memoryByteCount)
  }

  var statistics: MemoryStatistics {
    state.withLock { $0.counts }
  }

  /// Returns the block size for a request. Between two powers of two there are eight sizes, or fewer where eight would
  /// be less than 256 bytes apart. So requests of similar sizes share blocks, and a block wastes, apart from its
  /// padding, at most an eighth of its size or 256 bytes. If the next size is above the device's maximum for an
  /// allocation, the block has only the requested size and the padding.
  func capacity(for byteCount: Int) -> Int {
    let least = roundUp(max(byteCount + blockSlack, 512), toMultipleOf: 8)
    let step = max(256, 1 << (Int.bitWidth - 1 - least.leadingZeroBitCount - 3))
    let rounded = roundUp(least, toMultipleOf: step)
    return rounded > driver.info.maximumAllocationByteCount + blockSlack ? least : rounded
  }

  /// Returns a block of at least `byteCount` bytes.
  /// - Throws: `DeviceError.outOfMemory` if the block does not fit even after unused blocks were released.
  func take(_ byteCount: Int) throws(DeviceError) -> Block {
    try state.withLock { state throws(DeviceError) -> Block in
      let capacity = capacity(for: byteCount)
      let counts = state.counts
      if let memory = state.free.take(byteCount: capacity) {
        state.counts.pooled -= capacity
        return state.use(Block(memory: memory, capacity: capacity))
      }
      if counts.used + counts.pooled + capacity > driver.info.memoryByteCount { state.evict(above: 0) }
      guard byteCount <= driver.info.maximumAllocationByteCount,
        counts.used + capacity <= driver.info.memoryByteCount
      else { throw outOfMemory(byteCount, used: counts.used) }
      if let memory = try? newMemory(capacity) {
        return state.use(Block(memory: memory, capacity: capacity))
      }
      state.evict(above: 0)
      do throws(DeviceError) {
        return state.use(Block(memory: try newMemory(capacity), capacity: capacity))
      } catch {
        if case .outOfMemory = error { throw outOfMemory(byteCount, used: counts.used) }
        throw error
      }
    }
  }

  private func newMemory(_ byteCount: Int) throws(DeviceError) -> Driver.Memory {
    let memory = try driver.allocate(byteCount: byteCount)
    guard fillsNewMemory else { return memory }
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 1)
    defer { bytes.deallocate() }
    bytes.initializeMemory(as: UInt8.self, repeating: 0xA5)
    try driver.copyIn(UnsafeRawBufferPointer(bytes), to: memory)
    return memory
  }

  func give(_ block: Block) {
    state.withLock { state in
      state.counts.used -= block.capacity
      state.counts.pooled += block.capacity
      state.free.insert(block.memory, byteCount: block.capacity)
      state.evict(above: cacheLimit.byteCount(peak: state.counts.peak))
    }
  }

  /// Releases all blocks that are not in use.
  func flush() {
    state.withLock { $0.evict(above: 0) }
  }

  private func outOfMemory(_ byteCount: Int, used: Int) -> DeviceError {
    let isLarge = byteCount > driver.info.maximumAllocationByteCount
    return .outOfMemory(
      device: driver.info.identifier, requested: byteCount, used: used,
      available: isLarge ? driver.info.maximumAllocationByteCount : driver.info.memoryByteCount)
  }
}

/// A buffer that returns its block to the pool.
final class GPUBuffer<Driver: GPUDriver>: Buffer, @unchecked Sendable {
  let block: MemoryPool<Driver>.Block
  private let pool: MemoryPool<Driver>

  init(byteCount: Int, block: MemoryPool<Driver>.Block, pool: MemoryPool<Driver>) {
    self.block = block
    self.pool = pool
    super.init(byteCount: byteCount)
  }

  deinit { pool.give(block) }
}

/// The scratch memory that all plans of a device share, in blocks called slabs. Runs use it one at a time, in queue
/// order, so each slab is as large as the largest plan requires.
final class ScratchArena<Driver: GPUDriver>: @unchecked Sendable {
  private let pool: MemoryPool<Driver>
  private var blocks: [MemoryPool<Driver>.Block?] = []

  init(pool: MemoryPool<Driver>) { self.pool = pool }

  /// Makes slab `i` at least `sizes[i]` bytes large. If that fails, releases all slabs and unused blocks and tries
  /// again.
  func reserve(_ sizes: [Int]) throws(DeviceError) {
    do throws(DeviceError) { try grow(sizes) } catch {
      release()
      pool.flush()
      do throws(DeviceError) { try grow(sizes) } catch {
        release()
        pool.flush()
        throw error
      }
    }
  }

  private func grow(_ sizes: [Int]) throws(DeviceError) {
    while blocks.count < sizes.count { blocks.append(nil) }
    for (index, size) in sizes.enumerated() where size > 0 && size > blocks[index]?.capacity ?? 0 {
      if let block = blocks[index] { pool.give(block) }
      blocks[index] = nil
      blocks[index] = try pool.take(size)
    }
  }

  func memory(_ index: Int) -> Driver.Memory? { blocks[index]?.memory }

  /// Returns all slabs to the pool; the next run reserves them again.
  func release() {
    for block in blocks { if let block { pool.give(block) } }
    blocks = []
  }
}
