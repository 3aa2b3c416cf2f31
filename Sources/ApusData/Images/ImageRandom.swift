import Glibc

/// The random numbers of one picture in one epoch, or of one batch: a function of the seed and of these alone, so that
/// no thread and no restart in the middle changes what is drawn.
public struct ImageRandom: Sendable {
  private let random: CounterRandom
  private var position = 0

  /// The numbers of an example.
  /// - Parameter repetition: how often the example has come before in this epoch
  public init(seed: UInt64, epoch: Int, example: Int, repetition: Int = 0) {
    // Apart from the numbers of the order of an epoch, which have streams of the seed itself.
    let epochs = CounterRandom(seed: seed ^ 0x696d_6167_6573, stream: UInt64(bitPattern: Int64(epoch)))
    random = CounterRandom(seed: epochs[repetition], stream: UInt64(bitPattern: Int64(example)))
  }

  /// The numbers of a batch, apart from those of examples.
  init(seed: UInt64, epoch: Int, batch: Int) {
    self.init(seed: seed, epoch: epoch, example: batch, repetition: -1)
  }

  /// The next 64 random bits.
  mutating func bits() -> UInt64 {
    defer { position += 1 }
    return random[position]
  }

  /// A number in `0 ..< 1`.
  public mutating func unit() -> Double { Double(bits() >> 11) * 0x1p-53 }

  /// A number in a range.
  public mutating func uniform(in range: ClosedRange<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * unit()
  }

  /// An integer in `0 ..< bound`.
  public mutating func integer(below bound: Int) -> Int {
    Int(bits().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// `true` with a probability.
  public mutating func chance(_ probability: Double) -> Bool { unit() < probability }

  /// The numbers `0 ..< count` in random order.
  mutating func permutation(_ count: Int) -> [Int32] {
    var order = Array(0..<Int32(count))
    for last in stride(from: count - 1, to: 0, by: -1) { order.swapAt(last, integer(below: last + 1)) }
    return order
  }

  /// A number from the distribution `Beta(alpha, alpha)`.
  ///
  /// Up to 1 by M. D. Jöhnk's method (1964), above by R. C. H. Cheng's algorithm BB (1978) for equal parameters; both
  /// draw until a pair of numbers is accepted.
  /// - Precondition: `alpha` is positive.
  mutating func beta(_ alpha: Double) -> Double {
    guard alpha > 1 else { return betaByPowers(alpha) }
    let (rate, shift) = (1 / alpha.squareRoot(), alpha + alpha.squareRoot())
    while true {
      let (first, second) = (1 - unit(), 1 - unit())
      let odds = log(first / (1 - first)) * rate
      let weight = alpha * exp(odds)
      guard weight.isFinite else { return 1 }
      let product = first * first * second
      let bound = shift * odds - 1.3862943611198906
      if bound + 2 * alpha * log(2 * alpha / (alpha + weight)) >= log(product) { return weight / (alpha + weight) }
    }
  }

  /// `X / (X + Y)` of `X = U^(1/α)`, `Y = V^(1/α)` where their sum is at most 1; by logarithms, because small `α` make
  /// both smaller than any number.
  private mutating func betaByPowers(_ alpha: Double) -> Double {
    while true {
      let (first, second) = (log(1 - unit()) / alpha, log(1 - unit()) / alpha)
      let largest = max(first, second)
      let sum = largest + log1p(exp(min(first, second) - largest))
      if sum <= 0 { return exp(first - sum) }
    }
  }
}
