import Apus

enum EvaluateCommand: Command {
  static let name = "evaluate"
  static let summary = "measure a trained model on test data"
  static let run = StoredModel.argument
  static let data = Option("data", .dataSource, help: "the data set whose test part is taken (default: the run's)")
  static let device = RunOptions.device
  static let threshold = Option(
    "threshold", .probability, help: "of two classes: the probability from which on an example counts as the second")
  static let top = Option(
    "top-k", .count, help: "how many of the largest outputs may hold the true class (default: 5, of more classes)")
  static let humanError = Option(
    "human-error", .share,
    help: "the share of examples that people get wrong: the training part is evaluated too, and bias told from variance"
  )
  static let json = Flag("json", help: "print one JSON object")
  static let declarations = [
    run.declaration, data.declaration, device.declaration, threshold.declaration, top.declaration,
    humanError.declaration, json.declaration,
  ]
  static let discussion = """
    Classifiers are measured as a whole and by class; an average leaves out classes that neither occur nor are predicted,
    and - stands for 0 of 0. The area under ROC is the chance that an example of a class has a higher probability of it
    than another one. The calibration error is how far probabilities are from the share of examples that are right, in
    15 bins. Thresholds should be chosen with other examples than those that the model is judged by. With --human-error
    the test part stands for the validation part. Models of a table's numbers are measured in the target's own units;
    their test loss is the mean squared error.
    """

  static func run(_ arguments: Arguments) throws {
    let stored = try StoredModel(path: arguments[run]!, command: name)
    if !stored.format.isClassifier {
      for declaration in [threshold.declaration, top.declaration, humanError.declaration]
      where arguments.contains(declaration) {
        throw UsageError(
          command: name,
          message: "--\(declaration.name) is for classifiers, \(stored.settings.model.name) is "
            + stored.format.modelName)
      }
    }
    let source = arguments[data] ?? stored.settings.data
    let device = try ComputeDevice.chosen(by: arguments[device])
    let clock = ContinuousClock()
    let start = clock.now
    let (measured, digest) = try withDevice(device) {
      let model = try stored.load()
      return (try Measurement(model, stored, source, arguments), try model.state.sha256())
    }
    let seconds = (clock.now - start) / .seconds(1)
    guard arguments[json] else { return try print(measured, stored, source, device) }
    var line: JSONObject = [
      "model": .string(stored.settings.model.name), "device": .string(device.name), "data": .string(source),
      "examples": .integer(measured.test.count), "test_loss": .number(measured.test.loss),
    ]
    line["test_accuracy"] = measured.test.accuracy.map { .number($0) }
    line["threshold"] = arguments[threshold].map { .number($0) }
    for (key, value) in measured.json { line[key] = value }
    line["seconds"] = .number(seconds)
    line["weights_sha256"] = .string(digest)
    line["checkpoint"] = .string(stored.checkpoint.path)
    try StandardOutput.write(.object(line))
  }

  private static func print(
    _ measured: Measurement, _ stored: StoredModel, _ source: String, _ device: ComputeDevice
  ) throws {
    let (model, result) = (stored.settings.model, measured.test)
    var rows = [
      ("model", "\(model.name) on \(device.name)"), ("checkpoint", stored.checkpoint.path),
      ("data", "\(result.count.grouped) test \(stored.format.examplesName) of \(source)"),
      ("test loss", result.loss.text(places: 4)),
    ]
    if let accuracy = result.accuracy { rows.append(("test accuracy", accuracy.text(places: 4))) }
    rows += measured.language?.rows ?? []
    rows += measured.regression?.rows ?? []
    rows += measured.classes?.rows ?? []
    var sections = [Help.rows(rows)]
    if let classes = measured.classes { sections.append(classes.table) }
    if let verdict = measured.verdict { sections.append(verdict.text) }
    try StandardOutput.write(line: sections.joined(separator: "\n\n"))
  }
}

/// Everything that is measured of a model.
private struct Measurement {
  var test: Evaluation
  var language: LanguageMeasures?
  var regression: RegressionReport?
  var classes: ClassificationReport?
  /// Of the training part, which the verdict takes.
  var train: Evaluation?
  var verdict: BiasVarianceReport?

  /// Measures a model on the current device.
  init(_ model: any Layer, _ stored: StoredModel, _ source: String, _ arguments: Arguments) throws {
    let data = try stored.data(of: source)
    let objective = stored.format.objective
    let size = stored.settings.batchSize.count
    if case .table = stored.format, !stored.format.isClassifier {
      let predictions = try predict(model, on: data.test, objective: objective, batchSize: size ?? data.test.count)
      regression = try RegressionReport(predictions, data.format)
      test = Evaluation(loss: regression?.loss ?? predictions.loss, count: predictions.count)
      return
    }
    guard stored.format.isClassifier else {
      test = try evaluate(model, on: data.test, objective: objective, batchSize: size ?? data.test.count)
      language = LanguageMeasures(test.loss, data.format)
      return
    }
    func measure(_ examples: any ExampleSource) throws -> (ClassificationResults, Evaluation) {
      let predictions = try predict(model, on: examples, objective: objective, batchSize: size ?? examples.count)
      let results = try predictions.classification(threshold: arguments[EvaluateCommand.threshold])
      let evaluation = Evaluation(loss: predictions.loss, accuracy: results.accuracy, count: results.count)
      return (results, evaluation)
    }
    let results: ClassificationResults
    (results, test) = try measure(data.test)
    let top = arguments[EvaluateCommand.top]
    if let top, top > results.classCount {
      throw UsageError(
        command: EvaluateCommand.name, message: "--top-k \(top): there are \(results.classCount) classes")
    }
    classes = ClassificationReport(results, data.format, top: top ?? (results.classCount > 5 ? 5 : nil))
    if let error = arguments[EvaluateCommand.humanError] {
      let known: ClassificationResults
      (known, train) = try measure(data.train())
      verdict = try BiasVarianceReport(
        train: known, validation: results, bayes: error, classNames: data.format.classNames)
    }
  }

  var json: JSONObject {
    var object = language?.json ?? regression?.json ?? classes?.json ?? [:]
    if let train {
      object["train_loss"] = .number(train.loss)
      object["train_accuracy"] = train.accuracy.map { .number($0) }
    }
    object["bias_variance"] = verdict?.json
    return object
  }
}
