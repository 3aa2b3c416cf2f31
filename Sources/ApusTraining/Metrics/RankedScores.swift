/// Scores of examples that are of a class or not, sorted: how many of either lie above each threshold.
///
/// An example counts as one of the class when its score is at or above the threshold. Equal scores are one threshold.
public struct RankedScores: Hashable, Sendable {
  /// The scores that occur, each once, in falling order.
  public let thresholds: [Float]
  /// How many examples of the class are at or above each threshold.
  public let truePositives: [Int]
  /// How many other examples are at or above each threshold.
  public let falsePositives: [Int]

  /// The number of examples of the class.
  public var positiveCount: Int { truePositives.last ?? 0 }
  /// The number of other examples.
  public var negativeCount: Int { falsePositives.last ?? 0 }

  /// Sorts scores, in O(n log n).
  /// - Throws: `unmeasurable` when a score is not a number.
  /// - Precondition: there is a truth for each score.
  public init(scores: [Float], isPositive: [Bool]) throws(TrainingError) {
    guard scores.count == isPositive.count else {
      fatalError("RankedScores: \(scores.count) scores for \(isPositive.count) examples")
    }
    if let place = scores.firstIndex(where: \.isNaN) {
      throw .unmeasurable(reason: "the score of example \(place) is not a number")
    }
    self.init(keys: zip(scores, isPositive).map(RankedScores.key))
  }

  /// - Parameter keys: in any order.
  private init(keys: [UInt64]) {
    var (thresholds, hits, misses): ([Float], [Int], [Int]) = ([], [], [])
    var (hitCount, missCount) = (0, 0)
    let sorted = keys.sorted(by: >)
    for (place, key) in sorted.enumerated() {
      if key & 1 == 1 { hitCount += 1 } else { missCount += 1 }
      guard place + 1 == sorted.count || sorted[place + 1] >> 1 != key >> 1 else { continue }
      thresholds.append(RankedScores.score(of: key))
      hits.append(hitCount)
      misses.append(missCount)
    }
    self.thresholds = thresholds
    truePositives = hits
    falsePositives = misses
  }

  /// Integers that are ordered as the scores are: sorting them is much faster. The last bit tells examples of the class.
  private static func key(_ score: Float, _ isPositive: Bool) -> UInt64 {
    // Zero has two signs, of which the sum has none.
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
  /// One class against all others, by its probability.
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
