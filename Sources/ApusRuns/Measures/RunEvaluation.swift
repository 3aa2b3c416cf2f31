import Apus

/// The data and the options of an evaluation.
public struct EvaluationOptions: Sendable {
  /// The data source; `nil` for the data of the run.
  public var data: String?
  /// The split. `nil` selects the validation examples if there are any, else the test examples. If `data` names another
  /// source without splits, such as a file, `nil` selects all examples.
  public var part: DataPart?
  /// For two classes: predict the second class if its probability is at least this number.
  public var threshold: Double?
  /// The k of the top-k accuracy. `nil` means 5 if there are more than 5 classes, else no top-k accuracy.
  public var top: Int?
  /// For a classifier, the error rate of people. If it is set, the training examples are measured, too, and bias is
  /// separated from variance.
  public var humanError: Double?
  /// A CSV file that groups examples, see `apus evaluate --slices`.
  public var slicesFile: String?
  /// Columns of a table. Its rows are grouped by the values of each column.
  public var slices: [String] = []
  /// The views of each image whose outputs are averaged; `nil` for those of the run's settings.
  public var testTimeAugmentation: TestTimeAugmentation?

  /// The options that measure the held-out examples of the run, without groups.
  public init() {}
}

/// The measures of a model on examples, as `apus evaluate` reports them.
public struct RunEvaluation {
  /// The data source.
  public let source: String
  /// The measured split of the source.
  public let part: DataPart
  /// The views of each image whose outputs were averaged.
  public let testTimeAugmentation: TestTimeAugmentation
  package private(set) var total: Evaluation
  package private(set) var skipped: SkippedImageReport
  package private(set) var language: LanguageMeasures?
  package private(set) var regression: RegressionReport?
  package private(set) var classes: ClassificationReport?
  package private(set) var slices: SliceReport?
  /// The results on the training examples; `nil` if `humanError` is not set.
  private var train: Evaluation?
  package private(set) var verdict: BiasVarianceReport?

  /// The mean loss. For classifiers, it is the mean over examples, in nats; for language models, the mean over tokens,
  /// in nats; for regression models, the mean squared error, in the square of the target's units.
  public var loss: Double { total.loss }
  /// The fraction of examples whose class is predicted correctly. For language models, the fraction of tokens that are
  /// predicted correctly; `nil` for regression.
  public var accuracy: Double? { total.accuracy }
  /// The number of measured examples.
  public var count: Int { total.count }
  /// `exp(loss)` of a language model; `nil` for other models.
  public var perplexity: Double? { language?.perplexity }
  /// The results of a classifier by class; `nil` for other models.
  public var classification: ClassificationResults? { classes?.results }
  /// The results of a regression model, in units of the model's outputs; `nil` for other models.
  public var numbers: RegressionResults? { regression?.results }
  /// All measures by their names in the output of `apus evaluate --json`.
  public var measures: JSONObject {
    var object: JSONObject = [part.key("loss"): .number(loss)]
    object[part.key("accuracy")] = accuracy.map { .number($0) }
    for (key, value) in json { object[key] = value }
    return object
  }

  /// Measures a model on the current device.
  package init(_ plainModel: any Layer, _ stored: Run, _ options: EvaluationOptions) throws {
    let data = try stored.data(of: options.data, part: options.part)
    (source, self.part) = (data.source, data.part)
    testTimeAugmentation = try stored.testTimeAugmentation(options.testTimeAugmentation)
    let model = testTimeAugmentation.layer(plainModel)
    if options.humanError != nil { try RunEvaluation.checkHeldOut(data, stored) }
    let groups = try DataSlices(file: options.slicesFile, columns: options.slices, of: data)
    let objective = stored.format.objective
    let size = stored.settings.batchSize.count ?? data.examples.count
    if data.format.isLanguage {
      total = try evaluate(model, on: data.examples, objective: objective, batchSize: size)
      language = LanguageMeasures(total.loss, data.format)
      skipped = SkippedImageReport(of: [], stored.settings.image)
      return
    }
    let predictions = try predict(model, on: data.examples, objective: objective, batchSize: size)
    total = Evaluation(loss: predictions.loss, count: predictions.count)
    skipped = SkippedImageReport(of: [data.examples], stored.settings.image)
    if stored.format.isClassifier {
      let results = try measureClasses(predictions, groups, data.format, options)
      guard let error = options.humanError else { return }
      let training = try stored.trainingData()
      let known = try predict(model, on: training, objective: objective, batchSize: size)
      skipped = SkippedImageReport(of: [data.examples, training], stored.settings.image)
      try judge(results, known, humanError: error, data.format, options)
    } else {
      try measureNumbers(predictions, groups, data.format)
    }
  }

  private mutating func measureNumbers(_ predictions: Predictions, _ groups: DataSlices, _ format: any DataFormat)
    throws
  {
    regression = try RegressionReport(predictions, format)
    if let loss = regression?.loss { total.loss = loss }
    slices = regression.flatMap { SliceReport(groups, $0, predictions.examples) }
  }

  private mutating func measureClasses(
    _ predictions: Predictions, _ groups: DataSlices, _ format: any DataFormat, _ options: EvaluationOptions
  ) throws -> ClassificationResults {
    let (threshold, top) = (options.threshold, options.top)
    try checkThreshold(threshold, classCount: predictions.width)
    let results = try predictions.classification(threshold: threshold)
    total.accuracy = results.accuracy
    if let top, top > results.classCount {
      throw OptionError("--top-k \(top): there are \(results.classCount) classes")
    }
    classes = ClassificationReport(results, format, top: top ?? (results.classCount > 5 ? 5 : nil))
    slices = SliceReport(groups, results, predictions.examples)
    return results
  }

  /// Compares the results on the measured examples with the results on the training examples.
  private mutating func judge(
    _ results: ClassificationResults, _ known: Predictions, humanError: Double, _ format: any DataFormat,
    _ options: EvaluationOptions
  ) throws {
    let knownResults = try known.classification(threshold: options.threshold)
    train = Evaluation(loss: known.loss, accuracy: knownResults.accuracy, count: known.count)
    verdict = try BiasVarianceReport(
      train: knownResults, validation: results, bayes: humanError, classNames: format.classNames,
      slices: slices?.validationSlices ?? [])
  }

  /// Throws if the examples include training examples of the model, because variance is measured on held-out examples.
  private static func checkHeldOut(_ data: MeasuredData, _ stored: Run) throws {
    guard data.part == .train || data.part == .all, try stored.isOwn(data.source) else { return }
    throw OptionError(
      "--human-error compares the training examples with held-out examples; try --part validation or test")
  }

  package var json: JSONObject {
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
