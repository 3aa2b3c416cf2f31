import Testing

@testable import ApusData

struct MinibatchOrderTests {
  @Test(arguments: [1, 2, 7, 128, 1000, 60_000])
  func everyExampleComesOncePerEpoch(count: Int) {
    let order = MinibatchOrder(count: count, batchSize: 128, seed: 3)
    for epoch in [0, 1, 17] {
      let batches = order.epoch(epoch)
      #expect(batches.count == (count + 127) / 128)
      #expect(batches.flatMap { $0 }.sorted() == Array(0..<Int32(count)))
      #expect(batches.dropLast().allSatisfy { $0.count == 128 })
    }
  }

  @Test func theOrderDependsOnSeedAndEpochAlone() {
    let order = MinibatchOrder(count: 1000, batchSize: 32, seed: 1)
    #expect(order.epoch(5).map(Array.init) == order.epoch(5).map(Array.init))
    #expect(order.epoch(5).examples != order.epoch(6).examples)
    #expect(order.epoch(5).examples != MinibatchOrder(count: 1000, batchSize: 32, seed: 2).epoch(5).examples)
    let other = MinibatchOrder(count: 1000, batchSize: 999, seed: 1)
    #expect(order.epoch(5).examples == other.epoch(5).examples)
  }

  /// Pins the order: with another order, old runs could not be repeated.
  @Test func theOrderStaysTheSame() {
    let first = MinibatchOrder(count: 10, batchSize: 10, seed: 1).epoch(0).examples
    #expect(first == [2, 4, 1, 8, 6, 0, 5, 3, 7, 9], "\(first)")
  }

  /// Over many epochs, each example is at each position about equally often. The statistic has a χ² distribution with
  /// 81 degrees of freedom.
  @Test func thePermutationsAreUniform() {
    let order = MinibatchOrder(count: 10, batchSize: 10, seed: 9)
    var counts = [Int](repeating: 0, count: 100)
    let epochs = 20_000
    for epoch in 0..<epochs {
      for (place, example) in order.epoch(epoch).examples.enumerated() {
        counts[10 * place + Int(example)] += 1
      }
    }
    let expected = Double(epochs) / 10
    let statistic = counts.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
    // With 81 degrees of freedom, the mean is 81, and 99.99 % of the values are below 137. A value far below 81 would
    // mean that the counts are too even to be random.
    #expect(statistic > 40 && statistic < 137, "\(statistic)")
  }

  @Test func withoutShufflingAndWithoutTheRest() {
    let plain = MinibatchOrder(count: 10, batchSize: 4, seed: 1, isShuffled: false)
    #expect(plain.epoch(3).map(Array.init) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]])
    let whole = MinibatchOrder(count: 10, batchSize: 4, seed: 1, isShuffled: false, dropsLast: true)
    #expect(whole.epoch(3).map(Array.init) == [[0, 1, 2, 3], [4, 5, 6, 7]])
    #expect(MinibatchOrder(count: 10, batchSize: 100, seed: 1, dropsLast: true).batchesPerEpoch == 1)
  }

  @Test func balancedClassesComeEquallyOften() {
    let labels = [Int32](repeating: 0, count: 900) + [Int32](repeating: 4, count: 90) + [Int32](repeating: 2, count: 11)
    let order = MinibatchOrder(balancing: labels, batchSize: 100, seed: 3)
    var extra: Set<[Int]> = []
    for epoch in 0..<20 {
      let batches = order.epoch(epoch)
      #expect(batches.count == 11 && batches[10].count == 1)
      var counts = [0, 0, 0]
      for example in batches.examples { counts[Int(labels[Int(example)]) / 2] += 1 }
      // 1001 = 3 · 333 + 2: two classes, chosen at random, get one more example.
      #expect(counts.sorted() == [333, 334, 334])
      extra.insert(counts)
      // Classes are mixed within a batch.
      #expect(Set(batches[0].map { labels[Int($0)] }).count == 3)
    }
    #expect(extra.count == 3)
  }

  @Test func balancedOrdersDependOnSeedAndEpochAlone() {
    let labels = (0..<200).map { Int32($0 % 20 == 0 ? 1 : 0) }
    let order = MinibatchOrder(balancing: labels, batchSize: 20, seed: 1)
    #expect(order.epoch(4).examples == order.epoch(4).examples)
    #expect(order.epoch(4).examples != order.epoch(5).examples)
    let other = MinibatchOrder(balancing: labels, batchSize: 7, seed: 1, dropsLast: true)
    #expect(order.epoch(4).examples == other.epoch(4).examples && other.batchesPerEpoch == 28)
    #expect(order.epoch(4).examples != MinibatchOrder(balancing: labels, batchSize: 20, seed: 2).epoch(4).examples)
  }

  /// The examples of a class are drawn with replacement and with equal probabilities. The statistic has a χ²
  /// distribution with 9 degrees of freedom; 99.99 % of its values are below 34.
  @Test func balancedDrawsAreUniform() {
    let labels = (0..<40).map { Int32($0 < 10 ? 0 : 1) }
    let order = MinibatchOrder(balancing: labels, batchSize: 8, seed: 2)
    var counts = [Int](repeating: 0, count: 10)
    for epoch in 0..<5_000 {
      for example in order.epoch(epoch).examples where example < 10 { counts[Int(example)] += 1 }
    }
    #expect(counts.reduce(0, +) == 20 * 5_000)
    let statistic = counts.reduce(0.0) { $0 + Double(($1 - 10_000) * ($1 - 10_000)) / 10_000 }
    #expect(statistic < 34, "\(statistic)")
  }
}
