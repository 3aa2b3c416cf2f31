/// Precision against recall, for all thresholds.
public struct PrecisionRecallCurve: Hashable, Sendable {
  /// The fraction of positives among the examples at or above each threshold; the first is 1.
  public var precisions: [Double]
  /// The fraction of the positives that are at or above each threshold; the first is 0.
  public var recalls: [Double]
  /// The thresholds in descending order. The first is infinity, at which no example is predicted as positive.
  public var thresholds: [Float]
}

extension RankedScores {
  /// The points of the curve by ascending recall; `nil` if the class has no examples.
  ///
  /// scikit-learn lists the same points in reverse order, and has no threshold for recall 0.
  public var precisionRecallCurve: PrecisionRecallCurve? {
    guard positiveCount > 0 else { return nil }
    return PrecisionRecallCurve(
      precisions: [1] + thresholds.indices.map { self[$0].precision },
      recalls: [0] + thresholds.indices.map { self[$0].recall },
      thresholds: [.infinity] + thresholds)
  }

  /// `Σ (Rₙ − Rₙ₋₁) Pₙ` over the thresholds, with recall `R` and precision `P`: the area under the step function,
  /// without interpolation. `nil` if the class has no examples.
  public var averagePrecision: Double? {
    guard let curve = precisionRecallCurve else { return nil }
    var area = 0.0
    for index in 1..<curve.recalls.count {
      area += (curve.recalls[index] - curve.recalls[index - 1]) * curve.precisions[index]
    }
    return area
  }
}
