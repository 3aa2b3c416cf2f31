import Testing

@testable import ApusData

struct SplitTests {
  /// Labels of classes with these sizes, in shuffled order.
  private func labels(_ counts: [Int]) -> [Int32] {
    let all = counts.enumerated().flatMap { [Int32](repeating: Int32($0), count: $1) }
    return MinibatchOrder(count: all.count, batchSize: 1, seed: 5).epoch(0).examples.map { all[Int($0)] }
  }

  private func counts(_ numbers: [Int32], _ labels: [Int32], _ classes: Int) -> [Int] {
    numbers.reduce(into: [Int](repeating: 0, count: classes)) { $0[Int(labels[Int($1)])] += 1 }
  }

  @Test func everyExampleIsInOneSplit() {
    let labels = labels([50, 31, 7, 1, 111])
    for seed in 0..<20 as Range<UInt64> {
      let split = Split(labels: labels, SplitOptions(test: 0.3, validation: 0.21, seed: seed))
      #expect((split.train + split.validation + split.test).sorted() == Array(0..<200))
      for part in [split.train, split.validation, split.test] { #expect(part == part.sorted()) }
    }
  }

  /// With a test share of 0.3, the classes have quotas of 15, 9.3, 2.1, 0.3 and 33.3 test examples. The floors sum to
  /// 59, and the class with the largest remainder gives the 60th. Three classes have the remainder 0.3: the class with
  /// one example gives none, and between the other two, rounding errors decide.
  @Test func testCountsFollowLargestRemainders() {
    let labels = labels([50, 31, 7, 1, 111])
    let split = Split(labels: labels, SplitOptions(test: 0.3, seed: 1))
    #expect(counts(split.test, labels, 5) == [15, 9, 2, 0, 34] || counts(split.test, labels, 5) == [15, 10, 2, 0, 33])
    #expect(split.test.count == 60)
    // Three quotas of 1.5: the total of 4.5 rounds to 5, the floors sum to 3, and the first two classes hold out one
    // more example each.
    let even = self.labels([3, 3, 3])
    #expect(counts(Split(labels: even, SplitOptions(test: 0.5)).test, even, 3) == [2, 2, 1])
  }

  @Test func everyClassHasATrainingExample() {
    let labels = labels([1, 2, 1, 40])
    let split = Split(labels: labels, SplitOptions(test: 0.5, validation: 0.45))
    #expect(counts(split.train, labels, 4).allSatisfy { $0 >= 1 })
    #expect(counts(split.test, labels, 4) == [0, 1, 0, 21] || counts(split.test, labels, 4) == [0, 1, 0, 20])
    #expect(Split(labels: [0, 1, 2], SplitOptions(test: 0.9)).test.isEmpty)
    #expect(Split(labels: [], SplitOptions()).train.isEmpty)
  }

  @Test func splitsDependOnTheSeedAlone() {
    let labels = labels([500, 300])
    let split = Split(labels: labels, SplitOptions(seed: 7))
    #expect(split == Split(labels: labels, SplitOptions(seed: 7)))
    #expect(split.test != Split(labels: labels, SplitOptions(seed: 8)).test)
    // The test split stays the same if a validation split is held out too.
    #expect(split.test == Split(labels: labels, SplitOptions(validation: 0.3, seed: 7)).test)
  }

  /// Pins the splits: with other splits, results could not be compared with old results.
  @Test func splitsStayTheSame() {
    let split = Split(count: 20, SplitOptions(test: 0.25, validation: 0.1, seed: 1))
    #expect(split.test == [4, 9, 11, 16, 17] && split.validation == [5, 19], "\(split)")
  }

  /// Each example is held out about equally often.
  @Test func theChoiceIsUniform() {
    var counts = [Int](repeating: 0, count: 10)
    for seed in 0..<10_000 as Range<UInt64> {
      for number in Split(count: 10, SplitOptions(test: 0.3, seed: seed)).test { counts[Int(number)] += 1 }
    }
    // A binomial distribution with n = 10,000 and p = 0.3 has a standard deviation of 46.
    #expect(counts.allSatisfy { abs($0 - 3000) < 200 }, "\(counts)")
  }
}

struct ClassBalanceTests {
  /// The expected weights of classes 0, 1 and 3 are those of scikit-learn:
  /// `compute_class_weight("balanced", classes=[0, 1, 3], y=[0, 0, 0, 1, 1, 3, 0, 0])`.
  @Test func weightsEqualScikitLearn() {
    let balance = ClassBalance(labels: [0, 0, 0, 1, 1, 3, 0, 0], classCount: 4)
    #expect(balance.counts == [5, 2, 0, 1])
    let expected = [0.5333333333333333, 1.3333333333333333, 0, 2.6666666666666665]
    #expect(zip(balance.weights, expected).allSatisfy { abs($0 - $1) < 1e-15 })
    #expect(ClassBalance(labels: [], classCount: 2).weights == [0, 0])
  }
}
