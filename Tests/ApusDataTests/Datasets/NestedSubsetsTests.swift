import Testing

@testable import ApusData

struct NestedSubsetsTests {
  @Test func subsetsAreNestedAndHaveTheSharesOfTheWhole() {
    // 600, 300 and 100 examples of three classes, in mixed order.
    let labels = (0..<1000).map { Int32($0 % 10 < 6 ? 0 : $0 % 10 < 9 ? 1 : 2) }
    for seed in 0..<5 as Range<UInt64> {
      let subsets = NestedSubsets(labels: labels, seed: seed)
      #expect(subsets.order.sorted() == (0..<1000).map { Int32($0) })
      for size in 0...1000 {
        let subset = subsets.subset(size)
        for (label, share) in [0.6, 0.3, 0.1].enumerated() {
          let count = Double(subset.count { Int(labels[Int($0)]) == label })
          #expect(abs(count - share * Double(size)) <= 1, "\(size) of class \(label)")
        }
      }
    }
    let (one, other) = (NestedSubsets(labels: labels, seed: 1), NestedSubsets(labels: labels, seed: 2))
    #expect(one == NestedSubsets(labels: labels, seed: 1) && one != other)
    #expect(Set(one.subset(100)) != Set(other.subset(100)))
    #expect(Set(NestedSubsets(count: 50, seed: 3).order).count == 50 && NestedSubsets(count: 0, seed: 3).order.isEmpty)
  }
}
