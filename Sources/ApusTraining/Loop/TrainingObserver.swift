import ApusData

/// What an observer asks its run to do.
public enum TrainingRequest: Hashable, Sendable {
  /// Nothing: the run continues.
  case `continue`
  /// A checkpoint after this step. Runs without an output folder write none.
  case saveCheckpoint
  /// The end of the run after this step, with a checkpoint. The reason is part of the result and of the metrics.
  case stop(reason: String)
}

/// How a session, one call of `Trainer.run()`, ended.
public enum TrainingEnd: Hashable, Sendable {
  /// All steps of the run are finished.
  case finished
  /// An observer stopped the run.
  case stopped(reason: String)
  /// A signal ended the session; the run can be resumed.
  case interrupted(signal: Int32)
  /// An error ended the session.
  case failed(TrainingError)
}

/// Receives the events of a training run, and may stop the run or request checkpoints.
///
/// ```swift
/// final class Budget: TrainingObserver {
///   func didStep(_ progress: TrainingProgress) -> TrainingRequest {
///     progress.step == 1000 ? .stop(reason: "the budget is used up") : .continue
///   }
/// }
/// let trainer = Trainer(model, Adam(), on: train, observers: [Budget()], options)
/// ```
/// By default, the methods do nothing. A method whose signature differs from the one here is never called.
///
/// The events of a step are, in this order:
/// - `willStartEpoch` if the step is the first of an epoch, then `willStep` and `didStep`,
/// - `didRecord` for each step whose number is a multiple of 50, and for the last step of a complete epoch,
/// - at the end of an epoch, `willEvaluate` and `didEvaluate` for each split that is measured, then `didFinishEpoch`,
///   then `didRecord` for the results; if a run with validation examples ends here, its test examples are measured
///   between `didFinishEpoch` and `didRecord`,
/// - `willSaveCheckpoint` and `didSaveCheckpoint` if a checkpoint is written.
///
/// Requests take effect after all observers have received the events of the step. If several observers stop a run, the
/// first reason counts.
///
/// The observer is called on the thread that trains, between the steps. An observer that depends on what it saw earlier
/// stores it in `memory`: then a resumed run ends like one that was not interrupted.
public protocol TrainingObserver: AnyObject {
  /// The name under which checkpoints store `memory`; by default the type's name. Observers of one run with equal names
  /// are numbered in their order.
  var name: String { get }

  /// The state of the observer, which checkpoints store and resumed runs restore: at most 1024 finite numbers.
  ///
  /// An empty memory is the initial state. The trainer sets an empty memory when a new run starts, and when a run
  /// resumes from a checkpoint without a memory of this observer. A checkpoint may come from an untrusted source: if
  /// the trainer sets an invalid value, the observer must keep its state. The trainer then finds that `memory` is not
  /// the value that it has set, and does not resume the run.
  var memory: [Double] { get set }

  /// Whether the run measures the norm of the gradients. The run then reports the norm for each step, and the mean norm
  /// over an epoch as the measure `gradient_norm` of the training examples.
  var needsGradientNorm: Bool { get }

  /// Called once at the start of a session. In a resumed run, the checkpoint is already loaded.
  func didStart(_ progress: TrainingProgress) throws(TrainingError) -> TrainingRequest

  /// Called before the first step of each epoch.
  func willStartEpoch(_ progress: TrainingProgress) throws(TrainingError)

  /// Called before each step.
  func willStep(_ progress: TrainingProgress) throws(TrainingError)

  /// Called after each step. The device may still be computing it: see `TrainingProgress.lastStep`.
  func didStep(_ progress: TrainingProgress) throws(TrainingError) -> TrainingRequest

  /// Called before the examples of a split are measured.
  func willEvaluate(_ progress: TrainingProgress, _ split: DataSplit) throws(TrainingError)

  /// Called after the examples of a split were measured. Validation examples are measured at the end of each epoch.
  /// Test examples are measured at the end of the run or, if there are no validation examples, at the end of each
  /// epoch.
  func didEvaluate(_ progress: TrainingProgress, _ split: DataSplit) throws(TrainingError) -> TrainingRequest

  /// Called at the end of each epoch, also of an incomplete last epoch. If the run ends here and has validation
  /// examples, its test examples are measured afterwards.
  func didFinishEpoch(_ progress: TrainingProgress) throws(TrainingError) -> TrainingRequest

  /// Called with each line of metrics. A line describes at most 50 steps, an epoch, or the end of a stopped run.
  func didRecord(_ progress: TrainingProgress, _ record: JSONObject) throws(TrainingError) -> TrainingRequest

  /// Called before a checkpoint is written to the folder `path`.
  func willSaveCheckpoint(_ progress: TrainingProgress, path: String) throws(TrainingError)

  /// Called after a checkpoint was written to the folder `path`.
  func didSaveCheckpoint(_ progress: TrainingProgress, path: String) throws(TrainingError) -> TrainingRequest

  /// Called once at the end of a session, after its last checkpoint, for every observer. The first error that is thrown
  /// is the error of the session, unless an earlier error ended the session (`failed`).
  func didEnd(_ progress: TrainingProgress, _ end: TrainingEnd) throws(TrainingError)
}

extension TrainingObserver {
  public var name: String { String(describing: Self.self) }
  public var memory: [Double] {
    get { [] }
    set {}
  }
  public var needsGradientNorm: Bool { false }
  public func didStart(_ progress: TrainingProgress) throws(TrainingError) -> TrainingRequest { .continue }
  public func willStartEpoch(_ progress: TrainingProgress) throws(TrainingError) {}
  public func willStep(_ progress: TrainingProgress) throws(TrainingError) {}
  public func didStep(_ progress: TrainingProgress) throws(TrainingError) -> TrainingRequest { .continue }
  public func willEvaluate(_ progress: TrainingProgress, _ split: DataSplit) throws(TrainingError) {}
  public func didEvaluate(_ progress: TrainingProgress, _ split: DataSplit) throws(TrainingError) -> TrainingRequest {
    .continue
  }
  public func didFinishEpoch(_ progress: TrainingProgress) throws(TrainingError) -> TrainingRequest { .continue }
  public func didRecord(_ progress: TrainingProgress, _ record: JSONObject) throws(TrainingError) -> TrainingRequest {
    .continue
  }
  public func willSaveCheckpoint(_ progress: TrainingProgress, path: String) throws(TrainingError) {}
  public func didSaveCheckpoint(_ progress: TrainingProgress, path: String) throws(TrainingError) -> TrainingRequest {
    .continue
  }
  public func didEnd(_ progress: TrainingProgress, _ end: TrainingEnd) throws(TrainingError) {}
}
