import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusGPU

@Suite struct MemoryPoolTests {
  /// The pool of released memory has a limit. Blocks of many sizes are allocated one after the other, as networks of
  /// different shapes allocate them.
  @Test func releasedMemoryHasALimit() throws {
    let device = Harness.open(.cpu)
    let pool = MemoryPool(
      driver: device.driver, fillsNewMemory: false,
      cacheLimit: CacheLimit(memoryByteCount: 1 << 30, fixedByteCount: 8 << 20))
    var kept: [Int] = []
    for size in stride(from: 1 << 20, to: 4 << 20, by: 1 << 17) {
      pool.give(try pool.take(size))
      kept.append(pool.statistics.pooled)
    }
    #expect(kept.allSatisfy { $0 <= 8 << 20 } && kept.last! > 4 << 20, "\(kept)")
    // The last block is reused; the first one was freed.
    let before = pool.statistics.pooled
    let last = try pool.take((4 << 20) - (1 << 17))
    #expect(pool.statistics.pooled == before - last.capacity)
    let first = try pool.take(1 << 20)
    #expect(pool.statistics.pooled == before - last.capacity)
    pool.give(first)
    pool.give(last)
    #expect(pool.statistics.used == 0 && pool.statistics.pooled <= 8 << 20)
  }
}
