import ApusNN
import ApusSystem
import ApusTensor

/// The state of a trainer during a session. A session starts a new run, or continues a run from a checkpoint. It
/// ends when the run is complete, is stopped, gets a signal or fails.
struct TrainerSession {
  /// All observers: first the observers that the trainer's options request, then the user's.
  var observers: [any TrainingObserver] = []
  /// The metrics file, if there is an output folder.
  var metrics: MetricsLog?

  /// The reason for which an observer has stopped the run.
  var stopReason: String?
  /// Whether `stopReason` has been recorded in the metrics.
  var hasRecordedStop = false
  /// Whether an observer has requested a checkpoint.
  var savesCheckpoint = false

  /// The loss and the measures of the previous step, which are being read back to the host.
  var pending: (loss: Reading, measures: StepMeasures.Pending?, count: Int, step: Int)?
  /// The number of the current epoch, and its remaining batches.
  var pass: (epoch: Int, batches: any ExamplePass)?
  /// The step, if steps build their graph for the first batches only.
  var compiledStep: RepeatedStep<StepMeasures.Form?>?
  /// Whether the first step has checked that no parameter is left untrained.
  var hasCheckedParameters = false

  /// The time of the last update of `state.seconds`.
  var clock = ContinuousClock.seconds
  /// The number of steps before this session.
  var firstStep = 0
  /// The seconds spent before this session.
  var earlierSeconds = 0.0
  /// The number of examples in the steps of this session.
  var exampleCount = 0
  /// The seconds spent in steps, including waiting for examples.
  var stepSeconds = 0.0
  /// The values of `exampleCount` and `stepSeconds` at the start of the epoch.
  var epochStart = (examples: 0, seconds: 0.0)
  /// The seconds spent waiting for examples in the epochs before the current one.
  var waitedSeconds = 0.0

  init() {}

  /// A session that continues from a state.
  init(from state: TrainingState) {
    firstStep = state.step
    earlierSeconds = state.seconds
  }

  /// The fraction of the step time that was spent waiting for examples; `nil` if no step waited.
  var loaderShare: Double? {
    let waited = waitedSeconds + (pass?.batches.waitedSeconds ?? 0)
    return waited > 0 && stepSeconds > 0 ? min(waited / stepSeconds, 1) : nil
  }
}
