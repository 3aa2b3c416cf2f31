extension ClassificationResults {
  /// A measure with its name.
  public struct Measure: Hashable, Sendable {
    /// The key in JSON, such as `balanced_accuracy`.
    public var key: String
    /// The name in reports.
    public var name: String
    /// The value; `nil` if it is undefined, for example the area under the ROC curve if all examples are of one class.
    public var value: Double?
  }

  /// The overall measures, in the order in which they are shown. Accuracy, precision, recall and F1 are not among them:
  /// see `ConfusionMatrix.accuracy` and `ConfusionMatrix.average(_:)`.
  ///
  /// With two classes, the area under the ROC curve (AUC) is measured for class 1. With more classes, it is the mean
  /// over the classes, each against the rest.
  /// - Parameter top: the `k` of an additional top-k accuracy; `nil` for none.
  public func measures(top: Int? = nil) -> [Measure] {
    let topMeasure = top.map { Measure(key: "top_\($0)_accuracy", name: "top-\($0) accuracy", value: topAccuracy($0)) }
    let isBinary = classCount == 2
    let rest = [
      Measure(key: "balanced_accuracy", name: "balanced accuracy", value: confusion.balancedAccuracy),
      Measure(
        key: "auc", name: isBinary ? "ROC AUC" : "ROC AUC (macro, one-vs-rest)",
        value: isBinary ? auc.classes[1] : auc.macro),
      Measure(key: "cohen_kappa", name: "Cohen's kappa", value: confusion.kappa),
      Measure(key: "matthews_correlation", name: "Matthews correlation", value: confusion.matthewsCorrelation),
      Measure(key: "log_loss", name: "log loss", value: logLoss),
      Measure(key: "brier_score", name: "Brier score", value: brierScore),
      Measure(
        key: "expected_calibration_error", name: "expected calibration error", value: calibration().expectedError),
    ]
    return (topMeasure.map { [$0] } ?? []) + rest
  }
}
