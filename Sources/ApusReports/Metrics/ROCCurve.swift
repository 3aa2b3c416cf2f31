/// The receiver operating characteristic: true positive rates over false positive rates, for descending thresholds.
public struct ROCCurve: Hashable, Sendable {
  /// False positive rates: the fraction of the negatives at or above each threshold.
  public var falsePositiveRates: [Double]
  /// True positive rates: the fraction of the positives at or above each threshold.
  public var truePositiveRates: [Double]
  /// The thresholds in descending order. At the first, infinity, no example is predicted as positive.
  public var thresholds: [Float]
}

extension RankedScores {
  /// The points of the curve, from (0, 0) to (1, 1); `nil` if there are no positives or no negatives.
  /// - Parameter droppingIntermediate: whether points halfway between their two neighbors are left out; such points
  ///   change neither the plot nor the area.
  public func rocCurve(droppingIntermediate: Bool = true) -> ROCCurve? {
    guard positiveCount > 0, negativeCount > 0 else { return nil }
    let last = thresholds.count - 1
    let kept = thresholds.indices.filter { position in
      guard droppingIntermediate, position > 0, position < last else { return true }
      return isCorner(truePositives, position) || isCorner(falsePositives, position)
    }
    return ROCCurve(
      falsePositiveRates: [0] + kept.map { ratio(falsePositives[$0], negativeCount) },
      truePositiveRates: [0] + kept.map { ratio(truePositives[$0], positiveCount) },
      thresholds: [.infinity] + kept.map { thresholds[$0] })
  }

  private func isCorner(_ counts: [Int], _ position: Int) -> Bool {
    counts[position + 1] - counts[position] != counts[position] - counts[position - 1]
  }

  /// The area under the ROC curve: the probability that a random positive has a higher score than a random negative.
  /// Pairs of equal scores count half. `nil` if there are no positives or no negatives.
  ///
  /// The trapezoids are summed as integers: the result is the exact ratio, rounded once. (Hanley and McNeil, "The
  /// meaning and use of the area under a receiver operating characteristic (ROC) curve", 1982.)
  public var auc: Double? {
    guard positiveCount > 0, negativeCount > 0 else { return nil }
    var doubled = 0
    var previous = (tp: 0, fp: 0)
    for (tp, fp) in zip(truePositives, falsePositives) {
      doubled += (fp - previous.fp) * (tp + previous.tp)
      previous = (tp, fp)
    }
    return Double(doubled) / (2 * Double(positiveCount) * Double(negativeCount))
  }
}

/// Areas under the ROC curves of all classes, each against the others (one-vs-rest).
public struct ClassAUC: Hashable, Sendable {
  /// The area of each class; `nil` for a class without positives or without negatives.
  public var classes: [Double?]
  /// The number of examples of each class.
  public var supports: [Int]

  /// The mean of the defined areas; `nil` if no area is defined.
  public var macro: Double? { mean { _ in 1 } }
  /// The mean of the defined areas, weighted by the numbers of examples; `nil` if no area is defined.
  public var weighted: Double? { mean { Double(supports[$0]) } }

  private func mean(_ weight: (Int) -> Double) -> Double? {
    let defined = classes.indices.filter { classes[$0] != nil }
    guard !defined.isEmpty else { return nil }
    return weightedMean(defined.map { classes[$0]! }, defined.map(weight))
  }
}

extension ClassificationResults {
  /// The area under the ROC curve of each class against all others, in O(classes · n log n) for `n` examples.
  public var auc: ClassAUC {
    ClassAUC(classes: (0..<classCount).map { ranking(ofClass: $0).auc }, supports: confusion.supports)
  }
}
