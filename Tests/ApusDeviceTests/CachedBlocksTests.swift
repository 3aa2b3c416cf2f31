import Testing

@testable import ApusDevice

struct CachedBlocksTests {
  @Test func theLeastRecentlyUsedGoFirst() {
    var blocks = CachedBlocks<Int>()
    for (number, size) in [(1, 8), (2, 16), (3, 8), (4, 32), (5, 8)] { blocks.insert(number, byteCount: size) }
    #expect(blocks.byteCount == 72)
    // The most recent block of a size is reused first.
    #expect(blocks.take(byteCount: 8) == 5 && blocks.take(byteCount: 64) == nil)
    blocks.insert(5, byteCount: 8)
    var gone: [Int] = []
    blocks.evict(above: 48) { gone.append($0) }
    #expect(gone == [1, 2] && blocks.byteCount == 48)
    blocks.evict(above: 39) { gone.append($0) }
    #expect(gone == [1, 2, 3, 4] && blocks.take(byteCount: 32) == nil)
    #expect(blocks.take(byteCount: 8) == 5 && blocks.take(byteCount: 8) == nil && blocks.byteCount == 0)
  }

  /// A queue that is filled at one end and evicted at the other does not grow.
  @Test func queuesStaySmall() {
    var blocks = CachedBlocks<Int>()
    var last = -1
    for number in 0..<100_000 {
      blocks.insert(number, byteCount: 1)
      blocks.evict(above: 100) {
        #expect($0 == last + 1)
        last = $0
      }
    }
    #expect(last == 99_899 && blocks.byteCount == 100 && blocks.take(byteCount: 1) == 99_999)
    #expect(blocks.queues[0].entries.count < 1000)
  }

  @Test func limitsFollowThePeak() {
    let limit = CacheLimit(memoryByteCount: 1 << 34, fixedByteCount: nil)
    #expect(limit.byteCount(peak: 0) == 64 << 20 && limit.byteCount(peak: 1 << 30) == 3 << 30)
    #expect(limit.byteCount(peak: 1 << 34) == 1 << 33 && limit.byteCount(peak: .max) == 1 << 33)
    #expect(CacheLimit(memoryByteCount: 1 << 34, fixedByteCount: 7).byteCount(peak: 1 << 30) == 7)
  }
}
