import ApusSystem

/// An error that was measured on some examples, with its standard error.
public struct MeasuredError: Hashable, Sendable {
  /// The error: the fraction of misclassified examples, or a mean of losses.
  public var value: Double
  /// The number of examples.
  public var count: Int
  /// The squared standard error of the mean.
  let squaredDeviation: Double

  /// The fraction of examples that are misclassified.
  ///
  /// Its squared standard error is `p (1 − p) / (count + 2)` with `p = (wrong + 1) / (count + 2)`. This is the binomial
  /// standard error with one correct and one misclassified example added, so that it is not 0 if all examples are
  /// correct, or all misclassified.
  /// (Agresti and Caffo, "Simple and effective confidence intervals for proportions and differences of proportions
  /// result from adding two successes and two failures", 2000.)
  /// - Precondition: `0 ≤ wrong ≤ count`.
  public init(wrong: Int, of count: Int) {
    guard wrong >= 0, wrong <= count else { fatalError("MeasuredError: \(wrong) wrong of \(count) examples") }
    value = ratio(wrong, count)
    self.count = count
    let share = Double(wrong + 1) / Double(count + 2)
    squaredDeviation = share * (1 - share) / Double(count + 2)
  }

  /// The mean of the losses of some examples. Its squared standard error is `s² / count` with the sample variance `s²`
  /// of the losses, or infinite for fewer than two losses.
  public init(losses: [Double]) {
    count = losses.count
    let mean = losses.isEmpty ? 0 : losses.mean
    value = mean
    squaredDeviation = count > 1 ? sampleVariance(losses, mean: mean) / Double(count) : .infinity
  }
}
