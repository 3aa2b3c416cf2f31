import Apus

/// All measures of a model that `apus evaluate` reports.
struct ModelMeasures {
  /// The data, and the part of them that is measured.
  let source: String
  let part: DataPart
  private(set) var total: Evaluation
  private(set) var skipped: SkippedPictures
  private(set) var language: LanguageMeasures?
  private(set) var regression: RegressionReport?
  private(set) var classes: ClassificationReport?
  private(set) var slices: SliceReport?
  /// The results on the training part, which the verdict uses.
  private(set) var train: Evaluation?
  private(set) var verdict: BiasVarianceReport?

  /// Measures a model on the current device.
  init(_ model: any Layer, _ stored: StoredModel, _ arguments: Arguments) throws {
    let part = arguments[EvaluateCommand.part].flatMap(DataPart.init)
    let data = try stored.data(of: arguments[EvaluateCommand.data], part: part, command: EvaluateCommand.name)
    (source, self.part) = (data.source, data.part)
    if arguments[EvaluateCommand.humanError] != nil { try ModelMeasures.checkHeldOut(data, stored) }
    let groups = try DataSlices(arguments, of: data)
    let objective = stored.format.objective
    let size = stored.settings.batchSize.count ?? data.examples.count
    if data.format.isLanguage {
      total = try evaluate(model, on: data.examples, objective: objective, batchSize: size)
      language = LanguageMeasures(total.loss, data.format)
      skipped = SkippedPictures(of: [], stored.settings.image)
      return
    }
    let predictions = try predict(model, on: data.examples, objective: objective, batchSize: size)
    total = Evaluation(loss: predictions.loss, count: predictions.count)
    skipped = SkippedPictures(of: [data.examples], stored.settings.image)
    if stored.format.isClassifier {
      let results = try measureClasses(predictions, groups, data.format, arguments)
      guard let error = arguments[EvaluateCommand.humanError] else { return }
      let training = try stored.trainingData(command: EvaluateCommand.name)
      let known = try predict(model, on: training, objective: objective, batchSize: size)
      skipped = SkippedPictures(of: [data.examples, training], stored.settings.image)
      try judge(results, known, humanError: error, data.format, arguments)
    } else {
      try measureNumbers(predictions, groups, data.format)
    }
  }

  private mutating func measureNumbers(_ predictions: Predictions, _ groups: DataSlices, _ format: DataFormat) throws {
    regression = try RegressionReport(predictions, format)
    if let loss = regression?.loss { total.loss = loss }
    slices = regression.flatMap { SliceReport(groups, $0, predictions.examples) }
  }

  private mutating func measureClasses(
    _ predictions: Predictions, _ groups: DataSlices, _ format: DataFormat, _ arguments: Arguments
  ) throws -> ClassificationResults {
    let (threshold, top) = (arguments[EvaluateCommand.threshold], arguments[EvaluateCommand.top])
    try checkThreshold(threshold, classCount: predictions.width, command: EvaluateCommand.name)
    let results = try predictions.classification(threshold: threshold)
    total.accuracy = results.accuracy
    if let top, top > results.classCount {
      throw UsageError(
        command: EvaluateCommand.name, message: "--top-k \(top): there are \(results.classCount) classes")
    }
    classes = ClassificationReport(results, format, top: top ?? (results.classCount > 5 ? 5 : nil))
    slices = SliceReport(groups, results, predictions.examples)
    return results
  }

  /// Compares the results with those on the training examples.
  private mutating func judge(
    _ results: ClassificationResults, _ known: Predictions, humanError: Double, _ format: DataFormat,
    _ arguments: Arguments
  ) throws {
    let knownResults = try known.classification(threshold: arguments[EvaluateCommand.threshold])
    train = Evaluation(loss: known.loss, accuracy: knownResults.accuracy, count: known.count)
    verdict = try BiasVarianceReport(
      train: knownResults, validation: results, bayes: humanError, classNames: format.classNames,
      slices: slices?.places ?? [])
  }

  /// Refuses the model's own training examples: they do not measure variance.
  private static func checkHeldOut(_ data: MeasuredData, _ stored: StoredModel) throws {
    guard data.part == .train || data.part == .all, try stored.isOwn(data.source) else { return }
    throw UsageError(
      command: EvaluateCommand.name,
      message: "--human-error compares the training part with others; try --part validation or test")
  }

  var json: JSONObject {
    var object = language?.json(part) ?? regression?.json ?? classes?.json ?? [:]
    if let train {
      object[DataPart.train.key("loss")] = .number(train.loss)
      object[DataPart.train.key("accuracy")] = train.accuracy.map { .number($0) }
    }
    object["slices"] = slices?.json
    object["bias_variance"] = verdict?.json
    return object
  }
}
