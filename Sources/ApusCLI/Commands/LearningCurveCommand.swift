import Apus
import ApusFiles
import ApusRuns

enum LearningCurveCommand: Command {
  static let name = "learning-curve"
  static let summary = "train with growing subsets of the data, and estimate what more data would bring"
  static let fractions = Option(
    "fractions", .fractions,
    help: "fractions of the training examples, separated by commas (default: 0.1,0.2,0.4,0.7,1)")
  static let repeats = Option(
    "repeats", .count(upTo: 1000), help: "the number of runs for each fraction (default: 3)")
  static let output = Option("output", .directory, help: "the folder for the numbers, the figure and a page")
  static let json = Flag("json", help: "print one JSON object for each run, then one for the curve")
  /// Options of checkpoints and of early stopping, since the runs are neither stored nor measured on the way.
  private static let unused: Set<String> = [
    RunOptions.saveEvery.name, RunOptions.earlyStop.name, RunOptions.keep.name,
  ]
  /// The other options of a training run, and those of the curve.
  static let declarations =
    RunOptions.declarations.filter { !unused.contains($0.name) }
    + [
      TrainCommand.configuration.declaration, TrainCommand.set.declaration, fractions.declaration, repeats.declaration,
      output.declaration, json.declaration,
    ]
  static let discussion = """
    Each run trains on a subset with the same recipe and number of epochs. Subsets are stratified by class, and larger
    ones contain the smaller ones. The errors are those on the subset, without augmentation, and on held-out examples
    (--validation, here with the default 0.2): the error rate, or for numbers the fraction of the variance that is not
    explained, 1 - R². Each repetition adds one to --seed and --split-seed: it holds out other examples and starts from
    other weights. A power law that is fitted to the errors estimates the error with twice as many examples.
    """

  private static let validationShare = 0.2

  static func run(_ arguments: Arguments) throws {
    var settings = try RunSettings(arguments.filled())
    guard case .images = settings.model.kind else {
      throw OptionError("learning curves are for images and tables, \(settings.model.name) takes text")
    }
    if settings.dataSettings.split.validation == 0 {
      let share = settings.dataSettings.split.test + validationShare
      guard share < 1 else {
        throw OptionError("--test-share leaves nothing to learn from and to hold out")
      }
      settings.dataSettings.split.validation = validationShare
    }
    _ = try DatasetDescription.find(settings.data)
    let output = arguments[output]
    if let output { try reportingFiles { () throws(FileError) in try FileSystem.createDirectory(output) } }
    let weights = try settings.weights.map { try PretrainedWeights(path: $0) }
    let device = try ComputeDevice.chosen(by: settings.device)
    settings.device = device.name
    let seeds = (0..<UInt64(arguments[repeats] ?? 3)).map { $0 }
    let curve = try withDevice(device) {
      let count = try LearningTask(settings).train.count
      let sizes = Set(LearningCurve.sizes(fractions: arguments[fractions] ?? [0.1, 0.2, 0.4, 0.7, 1], of: count))
      var (points, number) = ([LearningCurve.Point](), 0)
      for size in sizes.sorted() {
        var runs: [LearningCurve.Run] = []
        for seed in seeds {
          let run = try measure(settings, repetition: seed, size, weights)
          (runs, number) = (runs + [run], number + 1)
          try report(run, size, "\(number)/\(sizes.count * seeds.count)", arguments[json])
        }
        points.append(LearningCurve.Point(size: size, runs: runs))
        // Writes the results so far: they are not lost when a later run fails.
        if let output { try write(LearningCurve(points), settings, to: output) }
      }
      return LearningCurve(points)
    }
    guard arguments[json] else {
      var rows = [("model", "\(settings.model.name) on \(device.name)"), ("data", settings.data)]
      if let output { rows.append(("report", "\(output)/report.html")) }
      let sections = [Help.rows(rows), table(curve).text, curve.fit.text]
      return try StandardOutput.write(line: sections.joined(separator: "\n\n"))
    }
    var line: JSONObject = [
      "model": .string(settings.model.name), "device": .string(device.name), "data": .string(settings.data),
    ]
    for (key, value) in curve.json.object ?? [:] { line[key] = value }
    line["output"] = output.map { .string($0) }
    try StandardOutput.write(.object(line))
  }

  /// One run with a subset of the training examples.
  private static func measure(
    _ settings: RunSettings, repetition: UInt64, _ size: Int, _ weights: PretrainedWeights?
  ) throws -> LearningCurve.Run {
    var settings = settings
    settings.seed &+= repetition
    settings.dataSettings.split.seed &+= repetition
    settings.dataSettings.trainCount = size
    let task = try LearningTask(settings)
    guard let validation = task.validation else { fatalError("learning-curve: no examples were held out") }
    // Errors are measured once, after the last step.
    let trainer = try settings.trainer(task, from: weights, isNew: true, measures: false) { $0.progress = .automatic }
    _ = try trainer.run()
    func error(_ examples: any ExampleSource) throws -> Double {
      let predictions = try predict(
        trainer.model, on: examples, objective: task.format.objective,
        batchSize: settings.batchSize.count ?? examples.count)
      guard !task.format.isClassifier else { return 1 - (try predictions.classification().accuracy) }
      // A single example has no variance to explain.
      return try predictions.regression().r2.map { 1 - $0 } ?? 0
    }
    return LearningCurve.Run(
      seed: settings.seed, train: try error(task.plainTrain?() ?? task.train), validation: try error(validation))
  }

  private static func table(_ curve: LearningCurve) -> TextTable {
    var table = TextTable("EXAMPLES", "TRAINING ERROR", "VALIDATION ERROR")
    for point in curve.points { table.append(point.size.grouped, point.train.text, point.validation.text) }
    return table
  }

  private static func report(_ run: LearningCurve.Run, _ size: Int, _ number: String, _ isJSON: Bool) throws {
    Diagnostics.write(
      "run \(number): \(size.grouped) examples, seed \(run.seed): training error \(run.train.text(places: 4)), "
        + "validation error \(run.validation.text(places: 4))")
    guard isJSON else { return }
    try StandardOutput.write([
      ResultKey.examples: .integer(size), "seed": .integer(Int(run.seed)), "train_error": .number(run.train),
      "validation_error": .number(run.validation),
    ])
  }

  /// Writes the numbers, the chart and the page.
  private static func write(_ curve: LearningCurve, _ settings: RunSettings, to directory: String) throws {
    let chart = LineChart("Learning curve", curve)
    var numbers = curve.json.object ?? [:]
    numbers["settings"] = .object(settings.json)
    let report = Report(
      "\(settings.model.name): learning curve", subtitle: "\(settings.data) · on \(settings.device ?? "")",
      sections: [
        Report.Section(
          "Errors by the number of examples",
          [.figure(Report.Figure("learning-curve", chart, isWide: true))]
            + curve.fit.text.split(separator: "\n").map { .text(String($0)) })
      ])
    let files = [
      ("learning-curve.json", JSON.object(numbers).text(indented: true) + "\n"), ("learning-curve.svg", chart.svg()),
      ("report.html", report.html()),
    ]
    for (file, text) in files {
      try reportingFiles { () throws(FileError) in
        try AtomicFile.write(Array(text.utf8), to: "\(directory)/\(file)")
      }
    }
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
