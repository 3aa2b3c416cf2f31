import ApusSystem

/// The counts of predictions that result from a threshold on the score of a class.
///
/// Positives are the examples of the class, negatives are all other examples. In the formulas, `tp`, `fp`, `fn` and
/// `tn` are the true positives, false positives, false negatives and true negatives.
public struct OperatingPoint: Hashable, Sendable {
  /// The lowest score for which an example is predicted as positive.
  public var threshold: Float
  /// Positives that are predicted as positive.
  public var truePositives: Int
  /// Negatives that are predicted as positive.
  public var falsePositives: Int
  /// Positives that are predicted as negative.
  public var falseNegatives: Int
  /// Negatives that are predicted as negative.
  public var trueNegatives: Int

  /// `tp / (tp + fp)`, the fraction of the positive predictions that are correct; 0 if there are no such predictions.
  public var precision: Double { measures.precision }
  /// `tp / (tp + fn)`, the fraction of the positives that are found; 0 if there are no positives.
  public var recall: Double { measures.recall }
  /// `2 tp / (2 tp + fp + fn)`, 0 if there are no positives and nothing is predicted as positive.
  public var f1: Double { measures.f1 }
  /// `fp / (fp + tn)`, the fraction of the negatives that are predicted as positive; 0 if there are no negatives.
  public var falsePositiveRate: Double { ratio(falsePositives, falsePositives + trueNegatives) }
  /// Youden's index, `recall − false positive rate` ("Index for rating diagnostic tests", 1950).
  public var youden: Double { recall - falsePositiveRate }

  private var measures: ClassMeasures {
    ClassMeasures(
      truePositives: truePositives, predictedCount: truePositives + falsePositives,
      support: truePositives + falseNegatives)
  }
}

/// The choice of a threshold. Of several equally good thresholds, the highest is chosen. The model should then be
/// evaluated on other examples than those on which the threshold was chosen.
extension RankedScores {
  /// The point at which examples with a score of at least `threshold` count as positive.
  public func point(at threshold: Float) -> OperatingPoint {
    // `thresholds` is in descending order: a binary search finds the first one that is lower than `threshold`.
    var point = self[thresholds.indices.partitionPoint { thresholds[$0] >= threshold } - 1]
    point.threshold = threshold
    return point
  }

  /// The point with the highest F1; `nil` if the class has no examples.
  public var bestF1: OperatingPoint? {
    guard positiveCount > 0 else { return nil }
    // F1 = 2 tp / (tp + fp + positives)
    return best { exceeds($0, $1) { $0.truePositives + $0.falsePositives + positiveCount } }
  }

  /// The point with the highest Youden index; `nil` if there are no positives or no negatives.
  public var bestYouden: OperatingPoint? {
    guard positiveCount > 0, negativeCount > 0 else { return nil }
    func scaled(_ point: OperatingPoint) -> Int {
      point.truePositives * negativeCount - point.falsePositives * positiveCount
    }
    return best { scaled($0) > scaled($1) }
  }

  /// The point with the highest recall among those whose precision is at least `precision`; `nil` if there is none.
  public func best(precisionAtLeast precision: Double) -> OperatingPoint? {
    best(where: { $0.truePositives > 0 && $0.precision >= precision }) { $0.truePositives > $1.truePositives }
  }

  /// The point with the highest precision among those whose recall is at least `recall`; `nil` if there is none.
  public func best(recallAtLeast recall: Double) -> OperatingPoint? {
    guard positiveCount > 0 else { return nil }
    return best(where: { $0.recall >= recall }) { exceeds($0, $1) { $0.truePositives + $0.falsePositives } }
  }

  /// Whether `tp / whole` is larger for `one`. The fractions are compared by cross-multiplication in integers,
  /// which has no rounding.
  private func exceeds(_ one: OperatingPoint, _ other: OperatingPoint, of whole: (OperatingPoint) -> Int) -> Bool {
    one.truePositives * whole(other) > other.truePositives * whole(one)
  }

  private func best(
    where isAllowed: (OperatingPoint) -> Bool = { _ in true }, _ isBetter: (OperatingPoint, OperatingPoint) -> Bool
  ) -> OperatingPoint? {
    var best: OperatingPoint?
    for position in thresholds.indices {
      let point = self[position]
      guard isAllowed(point) else { continue }
      if let current = best, !isBetter(point, current) { continue }
      best = point
    }
    return best
  }

  /// The operating point of the threshold at an index. Index −1 stands for an infinite threshold, at which nothing is
  /// predicted as positive.
  subscript(position: Int) -> OperatingPoint {
    let (positives, negatives) = position < 0 ? (0, 0) : (truePositives[position], falsePositives[position])
    return OperatingPoint(
      threshold: position < 0 ? .infinity : thresholds[position], truePositives: positives, falsePositives: negatives,
      falseNegatives: positiveCount - positives, trueNegatives: negativeCount - negatives)
  }
}
