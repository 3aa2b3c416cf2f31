import ApusData
import ApusNN
import ApusTensor

/// The options of a training run.
public struct TrainingOptions: Sendable {
  /// The length of a run.
  public enum Length: Hashable, Sendable {
    /// A number of passes over the training examples. The number may be fractional; the number of steps is rounded up.
    case epochs(Double)
    case steps(Int)
  }

  /// The length of the run.
  public var length: Length
  /// The number of examples in a batch; `nil` for all examples in one batch.
  public var batchSize: Int?
  /// The class of each training example, if each class is to occur equally often in an epoch; otherwise `nil`.
  public var balancedLabels: [Int32]?
  /// Whether the last batch of an epoch is dropped if it has fewer examples than the others. The examples in this batch
  /// differ from epoch to epoch.
  public var dropsLast = false
  /// The seed for the order of the examples and for the layers' random numbers.
  public var seed: UInt64
  /// How the learning rate changes.
  public var schedule: any Schedule
  /// When the values of the model are replaced by their moving average; `nil` for never.
  public var lookahead: Lookahead?
  /// The views of each test example whose outputs are averaged. Only the last evaluation of the test examples uses
  /// them.
  public var testTimeAugmentation = TestTimeAugmentation.none
  /// The precision in which training computes losses and gradients; evaluation is in `float32`.
  public var precision: Precision
  /// The maximum norm of all gradients together; larger gradients are scaled down to it. `nil` for no limit.
  public var clipNorm: Double?
  /// The maximum magnitude of a gradient element. Larger elements are clipped before `clipNorm` applies; `nil` for no
  /// limit.
  public var clipValue: Double?
  /// Whether the first operation that produces NaN or an infinity ends the run and is reported; see
  /// `detectingAnomalies(_:)`.
  public var detectsAnomalies: Bool
  /// Whether steps build their graph for the first batches only, as `CompiledStep` does. This saves most of the host
  /// time of a step, and changes no bits. Model, objective and penalty must then build the same operations in each step
  /// for batches of the same types; their code runs in the first steps only. Numbers and tensors that this code reads
  /// from outside, apart from the model's parameters and statistics, keep the values that they had in these steps.
  public var compilesSteps: Bool
  /// The folder for checkpoints and metrics; if it is `nil`, nothing is written.
  public var output: String?
  /// The output folder, if it is already open and locked.
  package var folder: RunFolder?
  /// Whether the metrics are also written for TensorBoard, to `tensorboard/` in the output folder.
  public var writesEvents = false
  /// The time in seconds between two checkpoints within an epoch. The end of an epoch also writes a checkpoint, unless
  /// the last checkpoint is less than a second old. A new best epoch always does, if `retention` keeps the best.
  public var saveEvery: Double
  /// Which checkpoints are kept.
  public var retention: CheckpointRetention
  /// Settings that checkpoints store so that the model and data can be built again.
  public var configuration: JSONObject
  /// How progress is shown.
  public var progress: Progress.Style
  /// Whether SIGINT, SIGTERM and SIGHUP end the run after the step in progress, with a checkpoint.
  public var handlesSignals: Bool
  /// Receives each record of `metrics.jsonl`, also without an output folder.
  public var onRecord: (@Sendable (JSONObject) -> Void)?
  /// Receives a profile of at most `profiledSteps` steps of the session (one call of `Trainer.run()`). The profile
  /// leaves out the first two steps, which build kernels.
  public var onProfile: (@Sendable (Profile) -> Void)?
  /// The maximum number of profiled steps.
  public static let profiledSteps = 20

  public init(
    length: Length, batchSize: Int? = 128, seed: UInt64 = 0, schedule: any Schedule = ConstantSchedule(),
    precision: Precision = .float32, clipNorm: Double? = nil, clipValue: Double? = nil, detectsAnomalies: Bool = false,
    compilesSteps: Bool = false, output: String? = nil, saveEvery: Double = 60,
    retention: CheckpointRetention = CheckpointRetention(),
    configuration: JSONObject = [:],
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
    self.compilesSteps = compilesSteps
    self.output = output
    self.saveEvery = saveEvery
    self.retention = retention
    self.configuration = configuration
    self.progress = progress
    self.handlesSignals = handlesSignals
    self.onRecord = onRecord
  }
}

/// The outcome of a run.
public struct TrainingResult: Hashable, Sendable {
  /// The number of epochs, including an incomplete last one.
  public var epochs: Int
  /// The number of finished steps of the run, over all sessions (calls of `Trainer.run()`).
  public var steps: Int
  /// The newest results on each split of the data.
  public var results: RunResults
  /// The seconds that the run took, over all sessions.
  public var seconds: Double
  /// The seconds that this session took.
  public var sessionSeconds: Double
  /// The steps per second of this session, without the time for evaluation and checkpoints; `nil` if it made no step.
  public var stepsPerSecond: Double?
  /// The fraction of this session's step time that was spent waiting for examples; `nil` if no step waited.
  public var loaderShare: Double?
  /// The digest of parameters and statistics, in ascending order of their keys; identical runs have equal digests.
  public var weightsSHA256: String
  /// The signal that ended the session early: 1 (SIGHUP), 2 (SIGINT) or 15 (SIGTERM); `nil` if none did. `apus train`
  /// then exits with 128 plus this number.
  public var interruption: Int32?
  /// The reason for which an observer ended the run early.
  public var stopped: String?

  /// The mean loss of the training examples in the last epoch, in the objective's unit and without penalties.
  public var trainLoss: Double? { results.train?.loss }
  /// The accuracy on the training examples of the last epoch. Each example is measured in the step that learns from it.
  public var trainAccuracy: Double? { results.train?.accuracy }
  /// The mean loss over the validation examples after the last epoch, if there are any.
  public var validationLoss: Double? { results.validation?.loss }
  /// The accuracy on the validation examples after the last epoch, if there are any.
  public var validationAccuracy: Double? { results.validation?.accuracy }
  /// The mean loss of the test examples after the last finished epoch or, with validation examples, at the end of the
  /// run; `nil` if it was not measured.
  public var testLoss: Double? { results.test?.loss }
  /// The accuracy on the test examples after the last finished epoch or, with validation examples, at the end of the
  /// run; `nil` if it was not measured.
  public var testAccuracy: Double? { results.test?.accuracy }
}
