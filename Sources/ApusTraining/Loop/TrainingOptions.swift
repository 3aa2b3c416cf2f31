import ApusData
import ApusNN
import ApusTensor

/// How a run is made.
public struct TrainingOptions: Sendable {
  /// When a run is over.
  public enum Length: Hashable, Sendable {
    case epochs(Int)
    case steps(Int)
  }

  /// When the run is over.
  public var length: Length
  /// The number of examples in a batch; `nil` for all in one.
  public var batchSize: Int?
  /// The classes of the training examples, where each class is to come equally often in an epoch.
  public var balancedLabels: [Int32]?
  /// What the order of the examples and the layers' random numbers come from.
  public var seed: UInt64
  /// How the learning rate changes.
  public var schedule: any Schedule
  /// How losses are computed. Evaluation is in `float32`.
  public var precision: Precision
  /// Gradients are scaled down to this norm.
  public var clipNorm: Double?
  /// Each number of the gradients is cut to at most this size, ahead of `clipNorm`.
  public var clipValue: Double?
  /// Whether the first operation that makes NaN or an infinity ends the run, and is named; see `detectingAnomalies(_:)`.
  public var detectsAnomalies: Bool
  /// Where checkpoints and metrics go; without a directory nothing is written.
  public var output: String?
  /// The output directory, where it is open and locked already.
  package var folder: RunFolder?
  /// Whether the metrics are also written for TensorBoard, to `tensorboard/` in the output directory.
  public var writesEvents = false
  /// Seconds from one checkpoint to the next, besides those at the ends of epochs.
  public var saveEvery: Double
  /// What checkpoints keep so that the model and data can be built again.
  public var configuration: JSONObject
  /// How people see how far it is.
  public var progress: Progress.Style
  /// Whether SIGINT, SIGTERM and SIGHUP end the run in good order.
  public var handlesSignals: Bool
  /// Is given each record of `metrics.jsonl`, also without an output directory.
  public var onRecord: (@Sendable (JSONObject) -> Void)?
  /// Is given what the device ran in some steps of the session: those behind the first two, which build kernels.
  public var onProfile: (@Sendable (Profile) -> Void)?
  /// How many steps that are, at most.
  public static let profiledSteps = 20

  public init(
    length: Length, batchSize: Int? = 128, seed: UInt64 = 0, schedule: any Schedule = ConstantSchedule(),
    precision: Precision = .float32, clipNorm: Double? = nil, clipValue: Double? = nil, detectsAnomalies: Bool = false,
    output: String? = nil, saveEvery: Double = 60, configuration: JSONObject = [:],
    progress: Progress.Style = .silent, handlesSignals: Bool = false,
    onRecord: (@Sendable (JSONObject) -> Void)? = nil
  ) {
    self.length = length
    self.batchSize = batchSize
    self.seed = seed
    self.schedule = schedule
    self.precision = precision
    self.clipNorm = clipNorm
    self.clipValue = clipValue
    self.detectsAnomalies = detectsAnomalies
    self.output = output
    self.saveEvery = saveEvery
    self.configuration = configuration
    self.progress = progress
    self.handlesSignals = handlesSignals
    self.onRecord = onRecord
  }
}

/// How a run ended.
public struct TrainingResult: Hashable, Sendable {
  /// Finished epochs; the last one may have been cut short by the number of steps.
  public var epochs: Int
  /// Finished steps, over all sessions.
  public var steps: Int
  /// The mean loss of the last epoch, without penalties, in the unit of the other losses.
  public var trainLoss: Double?
  /// The share of hits among the training examples of the last epoch, each measured in the step that learns from it.
  public var trainAccuracy: Double?
  /// The mean loss over the validation examples after the last epoch, where there are some.
  public var validationLoss: Double?
  /// The share of hits among the validation examples after the last epoch, where there are some.
  public var validationAccuracy: Double?
  /// The mean loss of the last evaluation, if there was one.
  public var testLoss: Double?
  /// The share of hits in the last evaluation, if there was one.
  public var testAccuracy: Double?
  /// Time spent, over all sessions.
  public var seconds: Double
  /// Time spent in this session.
  public var sessionSeconds: Double
  /// Of this session, without validation and checkpoints; `nil` when it made no step.
  public var stepsPerSecond: Double?
  /// The share of the time of this session's steps that was spent waiting for examples; `nil` where none are waited for.
  public var loaderShare: Double?
  /// The digest of parameters and statistics, by sorted key; equal runs have equal ones.
  public var weightsSHA256: String
  /// The signal that ended the run early: 1 (SIGHUP), 2 (SIGINT) or 15 (SIGTERM). The exit code is 128 more.
  public var interruption: Int32?
}
