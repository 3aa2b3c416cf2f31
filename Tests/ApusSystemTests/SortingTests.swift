import ApusSystem
import Testing

struct SortingTests {
  private struct Failure: Error {}

  @Test func elementsAreSortedStably() {
    var random = SplitMix64(state: 1)
    for count in [0, 1, 2, 3, 17, 1000] {
      let elements = (0..<count).map { (key: Int.random(in: 0..<max(1, count / 4), using: &random), position: $0) }
      let sorted = elements.sortedArray { $0.key < $1.key }
      #expect(sorted.map(\.position).sorted() == Array(0..<count))
      #expect(zip(sorted, sorted.dropFirst()).allSatisfy { ($0.key, $0.position) < ($1.key, $1.position) })
    }
  }

  @Test func errorsOfTheComparisonAreThrown() {
    #expect(throws: Failure.self) { try [2, 1].sortedArray { _, _ in throw Failure() } }
  }
}
