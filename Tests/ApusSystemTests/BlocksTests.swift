import ApusSystem
import Testing

struct BlocksTests {
  @Test func quotientsAreRoundedUp() {
    for a in 0...40 {
      for b in 1...9 {
        let quotient = ceilDivide(a, b)
        #expect(quotient * b >= a && (quotient - 1) * b < a, "\(a) / \(b)")
        #expect(roundUp(a, toMultipleOf: b) == quotient * b)
      }
    }
    #expect(ceilDivide(-7, 3) <= 0)
  }

  @Test func blocksCoverEachElementOnce() {
    for count in 0...20 {
      for size in 1...7 {
        let blocks = (0..<ceilDivide(count, size)).map { blockRange($0, size: size, count: count) }
        #expect(blocks.flatMap { $0 } == Array(0..<count))
        #expect(blocks.dropLast().allSatisfy { $0.count == size })
      }
    }
  }

  @Test func partsCoverEachElementOnce() {
    for count in 0...20 {
      for parts in 1...7 {
        let ranges = (0..<parts).map { partRange($0, of: parts, count: count) }
        #expect(ranges.flatMap { $0 } == Array(0..<count))
        let sizes = ranges.map(\.count)
        #expect(sizes.max()! - sizes.min()! <= 1)
      }
    }
  }
}
