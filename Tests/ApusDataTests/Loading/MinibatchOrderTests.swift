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

  /// Pins the numbers: another order would make old runs impossible to repeat.
  @Test func theOrderStaysWhatItIs() {
    let first = MinibatchOrder(count: 10, batchSize: 10, seed: 1).epoch(0).examples
    #expect(first == [2, 4, 1, 8, 6, 0, 5, 3, 7, 9], "\(first)")
  }

  /// Over many epochs each example is at each place about equally often: χ² with 9 × 9 degrees of freedom.
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
    // 81 degrees of freedom: mean 81, 99.99 % below 137; far below would be too regular.
    #expect(statistic > 40 && statistic < 137, "\(statistic)")
  }

  @Test func withoutShufflingAndWithoutTheRest() {
    let plain = MinibatchOrder(count: 10, batchSize: 4, seed: 1, isShuffled: false)
    #expect(plain.epoch(3).map(Array.init) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]])
    let whole = MinibatchOrder(count: 10, batchSize: 4, seed: 1, isShuffled: false, dropsLast: true)
    #expect(whole.epoch(3).map(Array.init) == [[0, 1, 2, 3], [4, 5, 6, 7]])
    #expect(MinibatchOrder(count: 10, batchSize: 100, seed: 1, dropsLast: true).batchesPerEpoch == 1)
  }
}
