import Apus
import ApusRuns
import ApusSystem

enum LearningCurveCommand: Command {
  static let name = "learning-curve"
  static let summary = "train with growing subsets of the data, and estimate the gain from more data"
  static let fractions = Option(
    "fractions", .fractions,
    help: "fractions of the training examples, separated by commas (default: 0.1,0.2,0.4,0.7,1)")
  static let repeats = Option(
    "repeats", .count(upTo: 1000), help: "the number of runs for each fraction (default: 3)")
  static let output = Option("output", .folder, help: "the folder for the numbers, the figure and a page")
  static let json = Flag("json", help: "print one JSON object for each run, then one for the curve")
  /// The options of `apus train` that this command does not take. The runs of a learning curve store no checkpoints and
  /// are measured only at their end, so the options of checkpoints and of early stopping do not apply. Models of text
  /// have no learning curves, so their options do not apply either.
  private static let unused = Set(
    [RunOptions.saveEvery.name, RunOptions.earlyStop.name, RunOptions.keep.name]
      + RunOptions.textDeclarations.map(\.name))
  private static let validation = RunOptions.validationOption(default: "\(LearningCurveOptions.validationShare)")
  /// The options of `apus train` without the unused ones, and the options of the curve.
  static let declarations =
    RunOptions.declarations.filter { !unused.contains($0.name) }
    .map { $0.name == validation.name ? validation.declaration : $0 }
    + [
      TrainCommand.configuration.declaration, TrainCommand.set.declaration, fractions.declaration, repeats.declaration,
      output.declaration, json.declaration,
    ]
  static let discussion = """
    Each run trains on a subset with the same recipe and number of epochs. Subsets are stratified by class, and larger
    ones contain the smaller ones. Each run is measured on its subset, without augmentation, and on held-out examples
    (--validation). The error is the error rate, or for numbers the unexplained fraction of the variance, 1 - R². Each
    repetition adds one to --seed and --split-seed: it holds out other examples and starts from other weights. A power
    law that is fitted to the errors estimates the error with twice as many examples.
    """

  static func run(_ arguments: Arguments) throws {
    let settings = try RunSettings(arguments.filled())
    var options = LearningCurveOptions()
    if let fractions = arguments[fractions] { options.fractions = fractions }
    if let repeats = arguments[repeats] { options.repeats = repeats }
    options.output = arguments[output]
    let runs = try LearningCurveRuns(settings, options)
    let device = try ComputeDevice.chosen(by: settings.device)
    let curve = try withDevice(device) {
      try runs.measure {
        try report($0, arguments[json])
      } adapt: {
        $0.progress = .automatic
      }
    }
    guard arguments[json] else {
      var rows = [("model", "\(settings.model.name) on \(device.name)"), ("data", settings.data)]
      if let output = options.output { rows.append(("report", "\(output)/report.html")) }
      let sections = [Help.rows(rows), table(curve).text, curve.fit.text]
      return try StandardOutput.write(line: sections.joined(separator: "\n\n"))
    }
    var line: JSONObject = [
      "model": .string(settings.model.name), "device": .string(device.name), "data": .string(settings.data),
    ]
    for (key, value) in curve.json.object ?? [:] { line[key] = value }
    line["output"] = options.output.map { .string($0) }
    try StandardOutput.write(.object(line))
  }

  private static func table(_ curve: LearningCurve) -> TextTable {
    var table = TextTable("EXAMPLES", "TRAINING ERROR", "VALIDATION ERROR")
    for point in curve.points { table.append(point.size.grouped, point.train.text, point.validation.text) }
    return table
  }

  private static func report(_ subset: MeasuredSubset, _ isJSON: Bool) throws {
    let run = subset.run
    Diagnostics.write(
      "run \(subset.number)/\(subset.count): \(subset.size.grouped) examples, seed \(run.seed): "
        + "training error \(run.train.text(places: 4)), validation error \(run.validation.text(places: 4))")
    guard isJSON else { return }
    try StandardOutput.write([
      ResultKey.examples: .integer(subset.size), "seed": .integer(Int(run.seed)), "train_error": .number(run.train),
      "validation_error": .number(run.validation),
    ])
  }
}

extension ValueKind<[Double]> {
  /// Fractions separated by commas.
  fileprivate static let fractions = ValueKind(
    "X[,…]", expectation: "a list of numbers above 0 and at most 1"
  ) { text in
    let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map {
      ValueKind<Double>.probability.parse(String($0))
    }
    return numbers.contains(nil) ? nil : numbers.compactMap(\.self)
  }
}
