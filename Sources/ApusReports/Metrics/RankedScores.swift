/// The sorted scores of positive and negative examples and, for every score as a threshold, the numbers of positive and
/// negative examples with scores at or above it.
///
/// An example is predicted as positive when its score is at or above the threshold. Equal scores share a threshold.
public struct RankedScores: Hashable, Sendable {
  /// The distinct scores, in descending order.
  public let thresholds: [Float]
  /// The number of positives at or above each threshold.
  public let truePositives: [Int]
  /// The number of negatives at or above each threshold.
  public let falsePositives: [Int]

  /// The number of positives: examples of the class.
  public var positiveCount: Int { truePositives.last ?? 0 }
  /// The number of negatives: all other examples.
  public var negativeCount: Int { falsePositives.last ?? 0 }

  /// Sorts `n` scores, in O(n log n).
  /// - Throws: when a score is not a number.
  /// - Precondition: `isPositive` has one element for each score.
  public init(scores: [Float], isPositive: [Bool]) throws(MeasureError) {
    guard scores.count == isPositive.count else {
      fatalError("RankedScores: \(scores.count) scores for \(isPositive.count) examples")
    }
    if let position = scores.firstIndex(where: \.isNaN) {
      throw MeasureError(reason: "the score of example \(position) is not a number")
    }
    self.init(checked: scores, isPositive)
  }

  /// - Parameter keys: the results of `key(_:_:)` for all examples, in any order.
  private init(keys: [UInt64]) {
    var (thresholds, truePositives, falsePositives): ([Float], [Int], [Int]) = ([], [], [])
    var (positiveCount, negativeCount) = (0, 0)
    let sorted = keys.sorted(by: >)
    for (position, key) in sorted.enumerated() {
      if key & 1 == 1 { positiveCount += 1 } else { negativeCount += 1 }
      guard position + 1 == sorted.count || sorted[position + 1] >> 1 != key >> 1 else { continue }
      thresholds.append(RankedScores.score(of: key))
      truePositives.append(positiveCount)
      falsePositives.append(negativeCount)
    }
    self.thresholds = thresholds
    self.truePositives = truePositives
    self.falsePositives = falsePositives
  }

  /// An integer that is ordered like the score. Its lowest bit is 1 for a positive, so a score and its truth value are
  /// sorted together.
  private static func key(_ score: Float, _ isPositive: Bool) -> UInt64 {
    // Adding 0 turns −0 into +0, so that both zeros have the same key.
    let bits = (score + 0).bitPattern
    let ordered = bits >> 31 == 1 ? ~bits : bits | 1 << 31
    return UInt64(ordered) << 1 | (isPositive ? 1 : 0)
  }

  private static func score(of key: UInt64) -> Float {
    let ordered = UInt32(truncatingIfNeeded: key >> 1)
    return Float(bitPattern: ordered >> 31 == 1 ? ordered & ~(1 << 31) : ~ordered)
  }
}

extension ClassificationResults {
  /// The ranking of the examples for one class against all others, by the probability of this class.
  public func ranking(ofClass number: Int) -> RankedScores {
    RankedScores(
      checked: probabilities(ofClass: number), labels.map { Int($0) == number })
  }
}

extension RankedScores {
  fileprivate init(checked scores: [Float], _ isPositive: [Bool]) {
    self.init(keys: zip(scores, isPositive).map(RankedScores.key))
  }
}
