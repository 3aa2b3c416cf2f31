/// What a threshold for a class leads to.
public struct OperatingPoint: Hashable, Sendable {
  /// From which score on an example counts as one of the class.
  public var threshold: Float
  /// Positives that are taken for such.
  public var truePositives: Int
  /// Negatives that are taken for positives.
  public var falsePositives: Int
  /// Positives that are taken for negatives.
  public var falseNegatives: Int
  /// Negatives that are taken for such.
  public var trueNegatives: Int

  /// `tp / (tp + fp)`, 0 where nothing is taken.
  public var precision: Double { ratio(truePositives, truePositives + falsePositives) }
  /// `tp / (tp + fn)`, the share of the class that is found.
  public var recall: Double { ratio(truePositives, truePositives + falseNegatives) }
  /// `2 tp / (2 tp + fp + fn)`
  public var f1: Double { ratio(2 * truePositives, 2 * truePositives + falsePositives + falseNegatives) }
  /// `fp / (fp + tn)`, the share of the others that is taken.
  public var falsePositiveRate: Double { ratio(falsePositives, falsePositives + trueNegatives) }
  /// The index of Youden, `recall − false positive rate` ("Index for rating diagnostic tests", 1950).
  public var youden: Double { recall - falsePositiveRate }
}

/// The choice of a threshold. Of several that are equally good it is the highest, so that what follows is the same for
/// the same scores. A threshold should be chosen with other examples than those that the model is judged by.
extension RankedScores {
  /// What a threshold leads to.
  public func point(at threshold: Float) -> OperatingPoint {
    // The thresholds fall: all ahead of the first one that is below count.
    var (low, high) = (0, thresholds.count)
    while low < high {
      let middle = (low + high) / 2
      if thresholds[middle] >= threshold { low = middle + 1 } else { high = middle }
    }
    var point = self[low - 1]
    point.threshold = threshold
    return point
  }

  /// The point with the highest F1; `nil` where the class has no examples.
  public var bestF1: OperatingPoint? {
    guard positiveCount > 0 else { return nil }
    // F1 = 2 tp / (tp + fp + positives), compared crosswise: integers have no rounding.
    return best { one, other in
      let sizes = [one, other].map { $0.truePositives + $0.falsePositives + positiveCount }
      return one.truePositives * sizes[1] > other.truePositives * sizes[0]
    }
  }

  /// The point with the highest index of Youden; `nil` where one of both kinds of examples is missing.
  public var bestYouden: OperatingPoint? {
    guard positiveCount > 0, negativeCount > 0 else { return nil }
    func scaled(_ point: OperatingPoint) -> Int {
      point.truePositives * negativeCount - point.falsePositives * positiveCount
    }
    return best { scaled($0) > scaled($1) }
  }

  /// The point with the highest recall among those whose precision is at least so high; `nil` when there is none.
  public func best(precisionAtLeast precision: Double) -> OperatingPoint? {
    best(where: { $0.truePositives > 0 && $0.precision >= precision }) { $0.truePositives > $1.truePositives }
  }

  /// The point with the highest precision among those whose recall is at least so high; `nil` when there is none.
  public func best(recallAtLeast recall: Double) -> OperatingPoint? {
    guard positiveCount > 0 else { return nil }
    return best(where: { $0.recall >= recall }) { one, other in
      let sizes = [one, other].map { $0.truePositives + $0.falsePositives }
      return one.truePositives * sizes[1] > other.truePositives * sizes[0]
    }
  }

  private func best(
    where isAllowed: (OperatingPoint) -> Bool = { _ in true }, _ isBetter: (OperatingPoint, OperatingPoint) -> Bool
  ) -> OperatingPoint? {
    var best: OperatingPoint?
    for place in thresholds.indices {
      let point = self[place]
      guard isAllowed(point) else { continue }
      if let current = best, !isBetter(point, current) { continue }
      best = point
    }
    return best
  }

  /// The point of a threshold by its number; before the first nothing is taken.
  private subscript(place: Int) -> OperatingPoint {
    let (hits, misses) = place < 0 ? (0, 0) : (truePositives[place], falsePositives[place])
    return OperatingPoint(
      threshold: place < 0 ? .infinity : thresholds[place], truePositives: hits, falsePositives: misses,
      falseNegatives: positiveCount - hits, trueNegatives: negativeCount - misses)
  }
}
