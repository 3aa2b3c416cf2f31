import Apus

/// The misclassified examples of a classifier, as `apus errors` lists them.
public struct RunErrors {
  /// The data source.
  public let source: String
  /// The measured split of the source.
  public let part: DataPart
  /// The misclassified examples in descending order of their losses, and the confused classes.
  public let analysis: ErrorAnalysis
  package let skipped: SkippedImageReport

  /// Measures a model on the current device.
  init(_ model: any Layer, _ stored: Run, _ data: MeasuredData, threshold: Double?) throws {
    (source, part) = (data.source, data.part)
    let predictions = try predict(
      stored.settings.image.testTimeAugmentation.layer(model), on: data.examples, objective: stored.format.objective,
      batchSize: stored.settings.batchSize.count ?? data.examples.count)
    try checkThreshold(threshold, classCount: predictions.width)
    analysis = ErrorAnalysis(
      of: try predictions.classification(threshold: threshold), losses: predictions.losses,
      examples: predictions.examples, names: data.names, classNames: data.format.classNames)
    skipped = SkippedImageReport(of: [data.examples], stored.settings.image)
  }
}

extension Run {
  /// Returns the misclassified examples of a classifier, those with the largest losses first.
  /// - Parameters:
  ///   - data: the data source; `nil` for the run's.
  ///   - part: the split; `nil` selects the validation examples, or other examples as in `EvaluationOptions.part`.
  ///   - threshold: for two classes: predict the second class if its probability is at least this number.
  /// - Throws: `OptionError` for models that predict no classes.
  public func errors(data: String? = nil, part: DataPart? = nil, threshold: Double? = nil) throws -> RunErrors {
    try checkHasErrors()
    return try RunErrors(model(), self, self.data(of: data, part: part), threshold: threshold)
  }

  /// Throws if the model predicts no classes.
  package func checkHasErrors() throws(OptionError) {
    if format.isClassifier { return }
    throw OptionError("\(settings.model.name) is \(format.modelName); try apus evaluate")
  }
}
