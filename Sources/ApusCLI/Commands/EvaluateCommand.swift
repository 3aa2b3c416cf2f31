import Apus
import ApusRuns

enum EvaluateCommand: Command {
  static let name = "evaluate"
  static let summary = "measure a trained model with held-out examples"
  static let run = Argument.run
  static let checkpoint = Option(
    "checkpoint", .checkpoint,
    help: "which checkpoint of the run: last, best (of a run with --keep best) or step-N (default: last)")
  static let data = Option("data", .dataSource, help: "the data set to read (default: the run's)")
  static let part = Option(
    "part", .choice("PART", of: DataPart.allCases),
    help:
      "which examples: train, validation, test or all (default: validation if there are such examples, else test; "
      + "all for data without their own splits, such as a file)")
  static let device = RunOptions.device
  static let threshold = Option(
    "threshold", .probability, help: "with two classes: the lowest probability that counts as the second class")
  static let top = Option(
    "top-k", .count, help: "the k of top-k accuracy (default: 5, with more than 5 classes)")
  static let humanError = Option(
    "human-error", .share,
    help:
      "the error rate of people; with it, the training examples are measured too, and bias is separated from variance"
  )
  static let slicesFile = Option(
    "slices", .file,
    help:
      "measure groups of examples: a CSV file with a column \"example\" (numbers) or \"name\"; the other columns "
      + "define the groups"
  )
  static let slice = Option(
    "slice", .text("COLUMN"), repeats: true,
    help: "measure groups of a table's rows, by the values of a column; numbers are grouped by quartiles")
  static let testTimeAugmentation = RunOptions.testTimeAugmentationOption(default: "the run's")
  static let json = Flag("json", help: "print one JSON object")
  static let declarations = [
    run.declaration, checkpoint.declaration, data.declaration, part.declaration, device.declaration,
    threshold.declaration, top.declaration,
    humanError.declaration, slicesFile.declaration, slice.declaration, testTimeAugmentation.declaration,
    json.declaration,
  ]
  static let discussion = """
    Classifiers are measured as a whole and by class. Averages leave out classes that neither occur nor are predicted;
    - stands for 0 divided by 0. The area under the ROC curve (AUC) is the probability that the model ranks an example
    of the class above an example of another class. The calibration error divides the examples into 15 bins by
    confidence. It is the mean of the absolute difference between confidence and accuracy over the bins, weighted by the
    number of examples. Choose thresholds with the validation examples, and report results for --part test. If there are
    no validation examples, --human-error uses the test examples. Models that predict a number are measured in the
    target's own units; their loss is the mean squared error. Slices are listed by ascending accuracy, or for numbers by
    descending mean absolute error.
    """

  private static func options(_ arguments: Arguments) -> EvaluationOptions {
    var options = EvaluationOptions()
    (options.data, options.part) = (arguments[data], arguments[part])
    (options.threshold, options.top) = (arguments[threshold], arguments[top])
    (options.humanError, options.slicesFile) = (arguments[humanError], arguments[slicesFile])
    options.slices = arguments.all(slice)
    options.testTimeAugmentation = arguments[testTimeAugmentation]
    return options
  }

  static func run(_ arguments: Arguments) throws {
    let stored = try Run(at: arguments[run]!, checkpoint: arguments[checkpoint])
    try stored.checkClassifier(
      [threshold.declaration, top.declaration, humanError.declaration], arguments)
    let device = try ComputeDevice.chosen(by: arguments[device])
    let clock = ContinuousClock()
    let start = clock.now
    let (measured, digest) = try withDevice(device) {
      let model = try stored.model()
      return (try RunEvaluation(model, stored, options(arguments)), try model.state.sha256())
    }
    measured.skipped.report()
    let seconds = (clock.now - start) / .seconds(1)
    guard arguments[json] else { return try print(measured, stored, device) }
    let part = measured.part
    var line: JSONObject = [
      "model": .string(stored.settings.model.name), "device": .string(device.name), "data": .string(measured.source),
      ResultKey.part: .string(part.rawValue), ResultKey.examples: .integer(measured.total.count),
      part.key("loss"): .number(measured.total.loss),
    ]
    line[part.key("accuracy")] = measured.total.accuracy.map { .number($0) }
    line[ResultKey.skipped] = measured.skipped.count.map { .integer($0) }
    line["threshold"] = arguments[threshold].map { .number($0) }
    if measured.testTimeAugmentation != .none {
      line["test_time_augmentation"] = .string(measured.testTimeAugmentation.rawValue)
    }
    for (key, value) in measured.json { line[key] = value }
    line["seconds"] = .number(seconds)
    line["weights_sha256"] = .string(digest)
    line["checkpoint"] = .string(stored.checkpoint.path)
    try StandardOutput.write(.object(line))
  }

  private static func print(_ measured: RunEvaluation, _ stored: Run, _ device: ComputeDevice) throws {
    let (model, part, result) = (stored.settings.model, measured.part, measured.total)
    var rows = [
      ("model", "\(model.name) on \(device.name)"), ("checkpoint", stored.checkpoint.path),
      ("data", "\(part.examples(result.count, stored.format.examplesName)) of \(measured.source)"),
    ]
    rows += measured.skipped.rows
    if measured.testTimeAugmentation != .none {
      rows.append(("test-time augmentation", measured.testTimeAugmentation.rawValue))
    }
    rows.append((part.title("loss"), result.loss.text(places: 4)))
    if let accuracy = result.accuracy { rows.append((part.title("accuracy"), accuracy.text(places: 4))) }
    rows += measured.language?.rows ?? []
    rows += measured.regression?.rows ?? []
    rows += measured.classes?.rows ?? []
    var sections = [Help.rows(rows)]
    if let classes = measured.classes { sections.append(classes.table) }
    if let slices = measured.slices { sections.append(slices.table) }
    if let verdict = measured.verdict { sections.append(verdict.text) }
    try StandardOutput.write(line: sections.joined(separator: "\n\n"))
  }
}
