/// The sources of a model's error: bias, the avoidable error on the training examples, and variance, the additional
/// error on other examples.
///
/// `avoidable bias = training error − Bayes error`, `variance = validation error − training error`. The Bayes error is
/// the lowest possible error; the error of people who do the task well can be used instead. (Ng, "Machine Learning
/// Yearning", chapters 20–27 and 33–35. The terms come from the decomposition of the squared error by Geman,
/// Bienenstock and Doursat, "Neural networks and the bias/variance dilemma", 1992.)
///
/// The avoidable bias and the variance are called gaps. A gap is a finding when all of these conditions hold:
/// - it is at least `thresholds.absolute`,
/// - it is at least the fraction `thresholds.relative` of the sum of both gaps, in which a negative gap counts as 0,
/// - it is more than `thresholds.deviations` standard errors: `√(s²ₜ + s²ᵥ)` for the variance and `sₜ` for the bias,
///   with the standard error `s` of the training (t) and validation (v) error, see `MeasuredError`,
/// - both errors are measured on at least `thresholds.examples` examples.
public struct BiasVariance: Hashable, Sendable {
  /// Which of bias and variance is high.
  public enum Verdict: String, CaseIterable, Sendable {
    /// Neither is found to be high.
    case low
    case bias
    case variance
    case both
  }

  /// The thresholds above which a gap is a finding. The defaults give the verdicts of the examples in Ng's book.
  public struct Thresholds: Hashable, Sendable {
    /// The smallest gap of interest, in units of the error.
    public var absolute: Double
    /// The fraction of the sum of both gaps that a gap must reach.
    public var relative: Double
    /// How many standard errors a gap must exceed. A gap that is really 0 is measured outside of ± 1.96 standard errors
    /// in 5 of 100 cases.
    public var deviations: Double
    /// The smallest number of examples for a verdict.
    public var examples: Int

    /// Thresholds for error rates; for other errors choose `absolute` in their units.
    public init(absolute: Double = 0.01, relative: Double = 0.25, deviations: Double = 1.96, examples: Int = 10) {
      self.absolute = absolute
      self.relative = relative
      self.deviations = deviations
      self.examples = examples
    }
  }

  /// The error on the training examples.
  public let train: MeasuredError
  /// The error on other examples.
  public let validation: MeasuredError
  /// The lowest possible error.
  public let bayes: Double
  /// The thresholds above which a gap is a finding.
  public let thresholds: Thresholds

  public init(
    train: MeasuredError, validation: MeasuredError, bayes: Double = 0, thresholds: Thresholds = Thresholds()
  ) {
    self.train = train
    self.validation = validation
    self.bayes = bayes
    self.thresholds = thresholds
  }

  /// `train − bayes`; negative when the model is better than the assumed Bayes error.
  public var avoidableBias: Double { train.value - bayes }
  /// `validation − train`; negative when the model does better on unseen examples.
  public var variance: Double { validation.value - train.value }

  /// How far chance may have changed the avoidable bias: `thresholds.deviations` standard errors.
  public var biasMargin: Double { thresholds.deviations * train.squaredDeviation.squareRoot() }
  /// How far chance may have changed the variance.
  public var varianceMargin: Double {
    thresholds.deviations * (train.squaredDeviation + validation.squaredDeviation).squareRoot()
  }

  /// Whether there are enough examples for a verdict.
  public var hasEnoughExamples: Bool { min(train.count, validation.count) >= thresholds.examples }

  /// Which of the two gaps are findings.
  public var verdict: Verdict {
    switch (isFinding(avoidableBias, biasMargin), isFinding(variance, varianceMargin)) {
    case (false, false): .low
    case (true, false): .bias
    case (false, true): .variance
    case (true, true): .both
    }
  }

  private func isFinding(_ gap: Double, _ margin: Double) -> Bool {
    let both = max(avoidableBias, 0) + max(variance, 0)
    return hasEnoughExamples && gap > 0 && gap >= thresholds.absolute && gap >= thresholds.relative * both
      && gap > margin
  }
}
