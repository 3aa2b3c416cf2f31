/// Precision against recall, for all thresholds.
public struct PrecisionRecallCurve: Hashable, Sendable {
  /// The share of the class's examples among those at or above each threshold; the first is 1.
  public var precisions: [Double]
  /// The share of the class's examples that are at or above each threshold; the first is 0.
  public var recalls: [Double]
  /// In falling order; the first is infinite, at which nothing is taken.
  public var thresholds: [Float]
}

extension RankedScores {
  /// The points of the curve by rising recall; `nil` where the class has no examples.
  ///
  /// scikit-learn lists the same points the other way round, and no threshold for the one of recall 0.
  public var precisionRecallCurve: PrecisionRecallCurve? {
    guard positiveCount > 0 else { return nil }
    return PrecisionRecallCurve(
      precisions: [1] + thresholds.indices.map { ratio(truePositives[$0], truePositives[$0] + falsePositives[$0]) },
      recalls: [0] + thresholds.indices.map { ratio(truePositives[$0], positiveCount) },
      thresholds: [.infinity] + thresholds)
  }

  /// `Σ (Rₙ − Rₙ₋₁) Pₙ` over the thresholds, with recall `R` and precision `P`: the area under the steps, which is not
  /// interpolated. `nil` where the class has no examples.
  public var averagePrecision: Double? {
    guard let curve = precisionRecallCurve else { return nil }
    return (1..<curve.recalls.count).reduce(0) {
      $0 + (curve.recalls[$1] - curve.recalls[$1 - 1]) * curve.precisions[$1]
    }
  }
}
