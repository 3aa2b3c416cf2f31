import ApusSystem
import Glibc

/// The random numbers of one image in one epoch, or of one batch. They depend only on the seed, the epoch, the index of
/// the image or batch, and how often the image occurred earlier in the epoch. So neither the number of threads nor a
/// resumed run changes them.
public struct ImageRandom: Sendable {
  private let random: CounterRandom
  private var position = 0
  /// Whether the number of the epoch, counted from 0, is even.
  let isEvenEpoch: Bool
  /// Whether the example belongs to a random half of the examples: each example does with probability 1/2, and the half
  /// is the same in every epoch.
  let isInFirstHalf: Bool

  /// The random numbers of an example.
  /// - Parameter repetition: how often the example occurred earlier in this epoch
  public init(seed: UInt64, epoch: Int, example: Int, repetition: Int = 0) {
    // The modified seed separates these streams from the streams that shuffle the examples of an epoch with the seed
    // itself.
    let epochs = CounterRandom(seed: seed ^ 0x696d_6167_6573, stream: UInt64(bitPattern: Int64(epoch)))
    random = CounterRandom(seed: epochs[repetition], stream: UInt64(bitPattern: Int64(example)))
    isEvenEpoch = epoch % 2 == 0
    isInFirstHalf = CounterRandom(seed: seed ^ 0x6861_6c76_6573, stream: 0).unit(at: example) < 0.5
  }

  /// The random numbers of a batch, independent of the random numbers of its examples.
  init(seed: UInt64, epoch: Int, batch: Int) {
    self.init(seed: seed, epoch: epoch, example: batch, repetition: -1)
  }

  /// The next 64 random bits.
  mutating func bits() -> UInt64 {
    defer { position += 1 }
    return random[position]
  }

  /// A uniform random number in `0 ..< 1`.
  public mutating func unit() -> Double { bits().randomUnit }

  /// A uniform random number in a range.
  public mutating func uniform(in range: ClosedRange<Double>) -> Double {
    range.lowerBound.lerp(to: range.upperBound, unit())
  }

  /// A uniform random integer in `0 ..< bound`.
  public mutating func integer(below bound: Int) -> Int { bits().randomInteger(below: bound) }

  /// Returns `true` with this probability.
  public mutating func chance(_ probability: Double) -> Bool { unit() < probability }

  /// The numbers `0 ..< count` in random order.
  mutating func permutation(_ count: Int) -> [Int32] {
    Array(0..<Int32(count)).shuffled { bound, _ in integer(below: bound) }
  }

  /// A region of random area, aspect ratio and position; `nil` if none of ten samples fits.
  /// - Parameters:
  ///   - limit: the largest height and width of the region, at most those of the image.
  ///   - scale: the range of the region's area, as a fraction of the area of the image.
  ///   - ratio: the range of `side / other`, sampled uniformly on a logarithmic scale.
  ///   - size: returns the size of a region with the extents `side` and `other`: it decides which of the two is the
  ///     height.
  mutating func part(
    of image: ImageSize, atMost limit: ImageSize, scale: ClosedRange<Double>, ratio: ClosedRange<Double>,
    size: (_ side: Int, _ other: Int) -> ImageSize
  ) -> (top: Int, left: Int, size: ImageSize)? {
    let area = Double(image.height * image.width)
    for _ in 0..<10 {
      let target = area * uniform(in: scale)
      let sideRatio = exp(uniform(in: log(ratio.lowerBound)...log(ratio.upperBound)))
      let sides = (target * sideRatio, target / sideRatio)
      let part = size(
        Int(sides.0.squareRoot().rounded(.toNearestOrEven)), Int(sides.1.squareRoot().rounded(.toNearestOrEven)))
      guard min(part.height, part.width) >= 1, part.height <= limit.height, part.width <= limit.width else { continue }
      let top = integer(below: image.height - part.height + 1)
      let left = integer(below: image.width - part.width + 1)
      return (top, left, part)
    }
    return nil
  }

  /// A number from the distribution `Beta(alpha, alpha)`.
  ///
  /// Uses M. D. Jöhnk's method (1964) for `alpha` up to 1, and R. C. H. Cheng's algorithm BB (1978) for larger `alpha`.
  /// Both are rejection methods. The constant 1.386… of BB is `log 4`.
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

  /// Returns `X / (X + Y)`, where `X = U^(1/α)` and `Y = V^(1/α)` for uniform random numbers `U` and `V`; samples with
  /// `X + Y > 1` are rejected. Computes with logarithms, because `X` and `Y` underflow for small `α`.
  private mutating func betaByPowers(_ alpha: Double) -> Double {
    while true {
      let (first, second) = (log(1 - unit()) / alpha, log(1 - unit()) / alpha)
      let largest = max(first, second)
      let sum = largest + log1p(exp(min(first, second) - largest))
      if sum <= 0 { return exp(first - sum) }
    }
  }
}
