import Apus
import ApusTestSupport
import Testing

/// Random numbers have the right distributions. Uniform numbers, integers, truth values and permutations are equal on
/// every device.
@Suite struct RandomTests {
  private static let draws: [(String, @Sendable (inout RandomKey) -> Tensor)] = [
    ("uniform", { .uniform([1000], lower: -1, upper: 3, key: &$0) }),
    ("bernoulli", { .bernoulli([1000], probability: 0.3, key: &$0) }),
    ("permutation", { .permutation(100, key: &$0) }),
    ("randomIntegers", { .randomIntegers([500], lower: -3, upper: 4, key: &$0) }),
  ]

  @Test func equalOnEveryDevice() throws {
    for (name, draw) in RandomTests.draws {
      let values = try TestDevice.all.map { device in
        try withDevice(device.device) { () throws in
          var key = RandomKey(seed: 7)
          _ = Tensor.uniform([3], key: &key)
          return try draw(&key).values()
        }
      }
      for (device, found) in zip(TestDevice.all, values) { #expect(found == values[0], "\(name) on \(device.name)") }
    }
  }

  private func values(_ draw: (inout RandomKey) -> Tensor) throws -> [Double] {
    try withDevice(TestDevice.reference.device) { () throws in
      var key = RandomKey(seed: 42)
      return try draw(&key).values()
    }
  }

  private func mean(_ x: [Double]) -> Double { x.reduce(0, +) / Double(x.count) }

  @Test func keysAdvance() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      var key = RandomKey(seed: 1)
      let first = try Tensor.uniform([8], key: &key).values()
      let second = try Tensor.uniform([8], key: &key).values()
      var again = RandomKey(seed: 1)
      #expect(try Tensor.uniform([8], key: &again).values() == first)
      #expect(first != second)
      var stream = RandomKey(seed: 1).stream(3)
      #expect(try Tensor.uniform([8], key: &stream).values() != first)
    }
  }

  @Test func uniform() throws {
    let x = try values { .uniform([20000], lower: -1, upper: 3, key: &$0) }
    #expect(x.allSatisfy { (-1..<3).contains($0) })
    #expect(abs(mean(x) - 1) < 0.03)
  }

  @Test func normal() throws {
    let x = try values { .normal([20000], mean: 2, deviation: 3, key: &$0) }
    #expect(abs(mean(x) - 2) < 0.08)
    #expect(abs(mean(x.map { ($0 - 2) * ($0 - 2) }) - 9) < 0.4)
    // A normal distribution has 4.55 % outside of two standard deviations.
    let outside = Double(x.count { abs($0 - 2) > 6 }) / Double(x.count)
    #expect(abs(outside - 0.0455) < 0.006)
  }

  @Test func truncatedNormal() throws {
    let x = try values { .truncatedNormal([20000], mean: 1, deviation: 2, lower: -1, upper: 2, key: &$0) }
    #expect(x.allSatisfy { (-1.0001...5.0001).contains($0) })
    // φ is the density and Φ the distribution function of the standard normal distribution. Truncated to −1 … 2, it has
    // the mean `(φ(−1) − φ(2)) / (Φ(2) − Φ(−1)) = 0.2296`.
    #expect(abs(mean(x) - 1 - 2 * 0.2296) < 0.04)
  }

  @Test func bernoulli() throws {
    #expect(abs(mean(try values { .bernoulli([20000], probability: 0.3, key: &$0) }) - 0.3) < 0.015)
  }

  @Test func permutation() throws {
    let x = try values { .permutation(257, key: &$0) }
    #expect(x.sorted() == (0..<257).map(Double.init))
    #expect(x != x.sorted())
  }

  @Test func randomIntegers() throws {
    let x = try values { .randomIntegers([14000], lower: -3, upper: 4, key: &$0) }
    for value in -3...3 {
      let share = Double(x.count { $0 == Double(value) }) / 14000
      #expect(abs(share - 1.0 / 7) < 0.012, "\(value)")
    }
  }

  @Test func categorical() throws {
    let x = try values { key in
      Tensor([0.1, 0.2, 0.7] as [Float]).log().categorical(20000, key: &key)
    }
    for (value, share) in [0.1, 0.2, 0.7].enumerated() {
      #expect(abs(Double(x.count { $0 == Double(value) }) / 20000 - share) < 0.015, "\(value)")
    }
  }
}
