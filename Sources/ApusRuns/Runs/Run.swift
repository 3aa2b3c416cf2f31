import Apus
import ApusSystem

/// A run in a folder, at one of its checkpoints: its settings, its model and the format of its data.
///
/// ```swift
/// let run = try Run(at: folder, checkpoint: .best)
/// let evaluation = try run.evaluate()
/// print(evaluation.loss, evaluation.accuracy ?? 0)
/// for prediction in try run.predict([file]) { print(prediction.name ?? "", prediction.probability ?? 0) }
/// ```
///
/// Everything runs on the current device, see `withDevice`.
public struct Run {
  /// The folder of the run or checkpoint.
  public let path: String
  /// The checkpoint with the weights.
  public let checkpoint: Checkpoint
  /// The settings that the checkpoint stores.
  public let settings: RunSettings
  /// The format of the data that the model takes.
  public let format: any DataFormat

  /// Reads the description of the model in a checkpoint, and verifies the checkpoint's files.
  /// - Parameters:
  ///   - path: the folder of a run, or of one of its checkpoints.
  ///   - choice: which checkpoint of a run; `nil` for the newest undamaged one, or for the checkpoint that `path`
  ///     names.
  /// - Throws: `DataError` if there is no run or its settings are invalid, `TrainingError` if every checkpoint is
  ///   damaged or the checkpoint was not written by a run, and `OptionError` if `choice` is given and `path` is itself
  ///   a checkpoint.
  public init(at path: String, checkpoint choice: CheckpointChoice? = nil) throws {
    self.path = path
    checkpoint = try Checkpoint.read(path, choice ?? .last)
    guard choice == nil || checkpoint.path != path else {
      throw OptionError("--checkpoint chooses a checkpoint of a run, but \(path) is a checkpoint itself")
    }
    let stored = checkpoint.state.configuration
    settings = try RunSettings(
      stored: Configuration(origin: checkpoint.path, values: stored["settings"]?.object ?? [:]))
    guard let format = DataKinds.format(in: stored) else {
      throw TrainingError.mismatch(path: checkpoint.path, reason: "it does not describe its data")
    }
    self.format = format
  }

  /// The names of the classes, by index; empty for a model that predicts no classes.
  public var classNames: [String] { format.classNames }

  /// How many complete epochs and how many steps were trained.
  public var progress: (epochs: Int, steps: Int) {
    let state = checkpoint.state
    let isWhole = state.exampleCount % state.batchSize == 0 || settings.dataSettings.dropsLast
    // The numbers of a checkpoint are not trusted.
    let stepsPerEpoch = max(state.exampleCount / state.batchSize + (isWhole ? 0 : 1), 1)
    return (state.step / stepsPerEpoch, state.step)
  }

  /// Returns the model with its weights.
  public func model() throws -> any Layer {
    let model = try settings.makeModel(for: format)
    try checkpoint.load(into: model)
    return model
  }

  /// The test-time augmentation to use: the requested one or, without a request, the one in the run's settings.
  /// - Throws: `OptionError` if one is requested for a model that does not take images.
  func testTimeAugmentation(_ requested: TestTimeAugmentation? = nil) throws(OptionError) -> TestTimeAugmentation {
    guard let requested else { return settings.image.testTimeAugmentation }
    guard format is ImageFormat else {
      throw OptionError("--test-time-augmentation is for models of images, but \(settings.model.name) takes other data")
    }
    return requested
  }

  /// Measures the model with held-out examples, as `apus evaluate` does.
  /// - Parameter options: the data and the measures. The default measures the held-out examples of the run.
  public func evaluate(_ options: EvaluationOptions = EvaluationOptions()) throws -> RunEvaluation {
    try RunEvaluation(model(), self, options)
  }

  /// Trains a new run to its end.
  /// - Parameters:
  ///   - settings: the model, its data and the options of `apus train`.
  ///   - output: the folder of the run, which must not contain another run; `nil` for `runs/MODEL-N`.
  ///   - observers: observers, which receive the events of the run and may stop it.
  /// - Returns: The run at its newest checkpoint, and the result of training.
  public static func train(
    _ settings: RunSettings, output: String? = nil, observers: [any TrainingObserver] = []
  ) throws -> (run: Run, result: TrainingResult) {
    var training = try TrainingRun(settings, output: output)
    return try train(&training, observers)
  }

  /// Continues the run from the weights, optimizer state and random numbers of its newest checkpoint or, if `path` is
  /// the folder of a checkpoint, of this checkpoint. The result has the same bits as the result of an uninterrupted
  /// run.
  ///
  /// - Parameters:
  ///   - options: the options that change, by their keys. Allowed are `epochs`, `steps`, `device`, `save_every`,
  ///     `detect_anomaly`, `workers`, `early_stop`, `keep`, and `data` for a moved table or folder of images.
  ///   - output: a new folder, to continue from a copy of the run; `nil` for the run's own. Required if `path` is the
  ///     folder of a checkpoint.
  ///   - observers: observers of the continued run.
  public func resume(
    _ options: JSONObject = [:], output: String? = nil, observers: [any TrainingObserver] = []
  ) throws -> (run: Run, result: TrainingResult) {
    var given = Arguments()
    try given.fill(from: Configuration(origin: "options", values: options), RunOptions.declarations)
    var training = try TrainingRun(resuming: path, output: output, given)
    return try Run.train(&training, observers)
  }

  private static func train(
    _ training: inout TrainingRun, _ observers: [any TrainingObserver]
  ) throws -> (run: Run, result: TrainingResult) {
    let trained: TrainedRun
    do {
      trained = try training.run(on: .current, observers: observers) { _ in }
    } catch {
      training.files.removeIfUnused()
      throw error
    }
    return (try Run(at: training.files.path), trained.result)
  }

  /// Returns the report that `apus plot` writes: curves, results on held-out examples, misclassified examples and
  /// layers; for classifiers of images also saliency, Grad-CAM, feature maps and attention weights.
  ///
  /// The report is about the newest checkpoint of the run, even if this `Run` was opened at another one, such as
  /// `.best`. `evaluate` and `predict`, instead, use the checkpoint at which this `Run` was opened.
  ///
  /// - Parameters:
  ///   - data: another data source; `nil` for the data of the run.
  ///   - part: the split; `nil` means the same as for `EvaluationOptions.part`.
  /// - Throws: `DataError` if `path` is the folder of a checkpoint instead of a run, and `OptionError`, for example if
  ///   the data do not have the split.
  public func report(data: String? = nil, part: DataPart? = nil) throws -> Report {
    var report = RunReport(try RunRecord(path: path))
    try report.examine(data: data, part: part, on: .current)
    return try report.make()
  }

  /// The error for a checkpoint whose data format does not fit its model.
  package var mismatch: TrainingError {
    .mismatch(path: checkpoint.path, reason: "its data are not those of the model \(settings.model.name)")
  }
}

extension Checkpoint {
  /// If `path` is the folder of a run, its chosen checkpoint; if `path` is the folder of a checkpoint, that checkpoint.
  /// - Throws: `DataError` if there is no run, or the run has no checkpoint; `TrainingError` if every checkpoint is
  ///   damaged.
  static func read(_ path: String, _ choice: CheckpointChoice = .last) throws -> Checkpoint {
    try RunFiles.check(path)
    do throws(TrainingError) {
      return try find(path, choice, warn: Diagnostics.write)
    } catch {
      guard case .noCheckpoint(_, let damaged) = error else { throw error }
      guard let first = damaged.first else {
        throw DataError.inputOutput(path: path, operation: "read a checkpoint", reason: "the run has none yet")
      }
      throw TrainingError.damaged(path: path, reason: "no checkpoint is intact: \(first)")
    }
  }
}
