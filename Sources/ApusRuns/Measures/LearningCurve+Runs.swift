import Apus

/// How a learning curve is measured.
public struct LearningCurveOptions: Sendable {
  /// The fractions of the training examples, each above 0 and at most 1.
  public var fractions = [0.1, 0.2, 0.4, 0.7, 1]
  /// The number of runs for each fraction, at least 1.
  public var repeats = 3
  /// The folder for the files with the numbers, the chart and an HTML page; `nil` writes no files.
  public var output: String?

  /// The fraction of examples that is held out for validation if the settings give none and the data have no validation
  /// split. It is a fraction of the training examples if the data have their own test split, otherwise of all examples.
  package static let validationShare = 0.2

  /// Three runs for each of five fractions, without files.
  public init() {}
}

/// A run on a subset of the training examples, as part of a learning curve.
public struct MeasuredSubset: Sendable {
  /// The number of training examples.
  public let size: Int
  /// The seed and the errors of the run.
  public let run: LearningCurve.Run
  /// The number of the run, from 1.
  public let number: Int
  /// The number of runs of the curve.
  public let count: Int
}

extension Run {
  /// Trains on growing subsets of the training examples, and returns the errors for each number of examples, as
  /// `apus learning-curve` does.
  ///
  /// All runs have the same settings and number of epochs. Each repetition adds one to the seeds, so that it starts
  /// from other random weights, selects another subset and, if the data have no validation split, holds out other
  /// examples. Each run measures two errors: on its subset, without augmentation, and on the validation examples. The
  /// error is the error rate for classes, and `1 − R²` for numbers. The runs are not stored.
  ///
  /// - Parameters:
  ///   - settings: the settings of a model of images or tables. If neither the settings nor the data define validation
  ///     examples, a fraction is held out: 0.2 of the training examples if the data have their own test split,
  ///     otherwise 0.2 of all examples.
  ///   - options: the fractions, the number of repetitions and the output folder.
  ///   - body: receives each run when it has ended.
  /// - Throws: `OptionError` if the model takes text, or if no examples remain for training.
  public static func learningCurve(
    _ settings: RunSettings, _ options: LearningCurveOptions = LearningCurveOptions(),
    _ body: (MeasuredSubset) throws -> Void = { _ in }
  ) throws -> LearningCurve {
    try LearningCurveRuns(settings, options).measure(body)
  }
}

/// Trains a model on growing subsets of the training examples, one run after the other.
package struct LearningCurveRuns {
  private var settings: RunSettings
  private let options: LearningCurveOptions
  private let weights: PretrainedWeights?
  private let report: LearningCurveReport?

  /// Checks the settings, and creates the output folder that the options name.
  package init(_ settings: RunSettings, _ options: LearningCurveOptions) throws {
    (self.settings, self.options) = (settings, options)
    guard case .images = settings.model.kind else {
      throw OptionError("learning curves are for images and tables, but \(settings.model.name) takes text")
    }
    if settings.dataSettings.split.validation == 0 {
      guard settings.dataSettings.split.test + LearningCurveOptions.validationShare < 1 else {
        let share = LearningCurveOptions.validationShare
        throw OptionError(
          "a learning curve holds out \(share) of the examples for validation, so the fraction for the test "
            + "(--test-share) must be below \(1 - share)")
      }
      self.settings.dataSettings.split.validation = LearningCurveOptions.validationShare
    }
    _ = try DatasetDescription.find(settings.data)
    weights = try settings.weights.map { try PretrainedWeights(path: $0) }
    report = try options.output.map { try LearningCurveReport(creating: $0) }
  }

  /// Trains and measures all runs on the current device.
  /// - Parameter adapt: sets options that do not change the results, such as the display of progress.
  package func measure(
    _ body: (MeasuredSubset) throws -> Void, adapt: (inout TrainingOptions) -> Void = { _ in }
  ) throws -> LearningCurve {
    var settings = settings
    settings.device = ComputeDevice.current.name
    let all = try LearningTask(settings).train.count
    let sizes = Set(LearningCurve.sizes(fractions: options.fractions, of: all)).sorted()
    var points: [LearningCurve.Point] = []
    var number = 0
    for size in sizes {
      var runs: [LearningCurve.Run] = []
      for repetition in 0..<options.repeats {
        let run = try measure(settings, UInt64(repetition), size, adapt)
        runs.append(run)
        number += 1
        try body(MeasuredSubset(size: size, run: run, number: number, count: sizes.count * options.repeats))
      }
      points.append(LearningCurve.Point(size: size, runs: runs))
      // The results so far are written, so that they are not lost if a later run fails.
      try report?.write(LearningCurve(points), settings)
    }
    return LearningCurve(points)
  }

  /// One run with a subset of the training examples.
  private func measure(
    _ settings: RunSettings, _ repetition: UInt64, _ size: Int, _ adapt: (inout TrainingOptions) -> Void
  ) throws -> LearningCurve.Run {
    var settings = settings
    settings.seed &+= repetition
    settings.dataSettings.split.seed &+= repetition
    settings.dataSettings.trainCount = size
    let task = try LearningTask(settings)
    guard let validation = task.validation else { fatalError("learning curve: no examples were held out") }
    // Errors are measured once, after the last step.
    let trainer = try settings.trainer(task, from: weights, isNew: true, measures: false, adapt)
    _ = try trainer.run()
    let model = settings.image.testTimeAugmentation.layer(trainer.model)
    func error(_ examples: any ExampleSource) throws -> Double {
      let predictions = try predict(
        model, on: examples, objective: task.format.objective,
        batchSize: settings.batchSize.count ?? examples.count)
      guard !task.format.isClassifier else { return 1 - (try predictions.classification().accuracy) }
      // R² is undefined for a single example. Its error counts as 0.
      return try predictions.regression().r2.map { 1 - $0 } ?? 0
    }
    return LearningCurve.Run(
      seed: settings.seed, train: try error(task.plainTrain?() ?? task.train), validation: try error(validation))
  }
}
