/// The measure by which the epochs of a run are compared. It uses the validation examples if the run has any, otherwise
/// the training examples, but never the test examples.
public enum SelectionMeasure: String, CaseIterable, Hashable, Sendable {
  /// The mean loss; smaller values are better.
  case loss
  /// The accuracy; larger values are better.
  case accuracy

  /// Whether larger values are better.
  public var prefersLarger: Bool { self == .accuracy }

  /// Whether a value is better than another one by more than `change`; `false` if one of them is NaN.
  func isBetter(_ value: Double, than other: Double, by change: Double = 0) -> Bool {
    prefersLarger ? value > other + change : value < other - change
  }

  /// The value after an epoch, if it was measured.
  func value(_ progress: TrainingProgress) -> Double? {
    self == .loss ? progress.selection?.loss : progress.selection?.accuracy
  }

  /// Throws if a run does not have this measure.
  /// - Parameter purpose: the subject of the error message, such as `early stopping`.
  func check(_ progress: TrainingProgress, for purpose: String) throws(TrainingError) {
    guard self == .loss || progress.measureNames.contains(Objective.accuracy) else {
      throw SelectionMeasure.missingAccuracy(for: purpose)
    }
  }

  /// The error of a run that does not measure the accuracy.
  package static func missingAccuracy(for purpose: String) -> TrainingError {
    .unmeasurable(reason: "\(purpose) needs the accuracy, but the objective defines none")
  }
}
