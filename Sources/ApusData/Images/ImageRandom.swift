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
  public mutating func unit() -> Double { bits().randomUnit }

  /// A number in a range.
  public mutating func uniform(in range: ClosedRange<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * unit()
  }

  /// An integer in `0 ..< bound`.
  public mutating func integer(below bound: Int) -> Int { bits().randomInteger(below: bound) }

  /// `true` with a probability.
  public mutating func chance(_ probability: Double) -> Bool { unit() < probability }

  /// The numbers `0 ..< count` in random order.
  mutating func permutation(_ count: Int) -> [Int32] {
    Array(0..<Int32(count)).shuffled { bound, _ in integer(below: bound) }
  }

  /// A part of a picture of random area, shape and place: ten draws, `nil` if none fits.
  /// - Parameters:
  ///   - limit: what height and width are at most.
  ///   - scale: the part's share of the area.
  ///   - ratio: one side by the other, evenly drawn on a logarithmic scale.
  ///   - size: the part's size of these two sides.
  mutating func part(
    of picture: ImageSize, atMost limit: ImageSize, scale: ClosedRange<Double>, ratio: ClosedRange<Double>,
    size: (_ side: Int, _ other: Int) -> ImageSize
  ) -> (top: Int, left: Int, size: ImageSize)? {
    let area = Double(picture.height * picture.width)
    for _ in 0..<10 {
      let target = area * uniform(in: scale)
      let shape = exp(uniform(in: log(ratio.lowerBound)...log(ratio.upperBound)))
      let sides = (target * shape, target / shape)
      let part = size(
        Int(sides.0.squareRoot().rounded(.toNearestOrEven)), Int(sides.1.squareRoot().rounded(.toNearestOrEven)))
      guard min(part.height, part.width) >= 1, part.height <= limit.height, part.width <= limit.width else { continue }
      let top = integer(below: picture.height - part.height + 1)
      let left = integer(below: picture.width - part.width + 1)
      return (top, left, part)
    }
    return nil
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
