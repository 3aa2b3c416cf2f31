import ApusSystem

/// Which checkpoints of a run are kept; the others are removed when a new one is written.
public struct CheckpointRetention: Hashable, Sendable {
  /// How many of the newest checkpoints are kept. With 1, a single damaged file may make it impossible to resume the
  /// run.
  public var last: Int
  /// The measure that selects the best epoch, whose checkpoint is kept in addition; `nil` for none.
  public var best: SelectionMeasure?

  /// - Precondition: `last` is positive.
  public init(last: Int = 2, best: SelectionMeasure? = nil) {
    guard last > 0 else { fatalError("CheckpointRetention: last is \(last), but must be at least 1") }
    self.last = last
    self.best = best
  }
}

/// One of the checkpoints of a run.
public enum CheckpointChoice: Hashable, Sendable {
  /// The newest undamaged checkpoint.
  case last
  /// The checkpoint of the best epoch; see `CheckpointRetention`.
  case best
  /// The checkpoint after a number of steps.
  case step(Int)
}

/// Requests a checkpoint in three cases: when the last one is `saveEvery` seconds old; at the end of an epoch, if the
/// last one is at least a second old; and after each epoch that is the best so far. Until the first checkpoint of a
/// session, the time counts from the start of the session.
final class CheckpointSchedule: TrainingObserver {
  private let saveEvery: Double
  private let measure: SelectionMeasure?
  private var lastSave = 0.0
  /// The step and the value of the best epoch so far.
  private(set) var best: (step: Int, value: Double)?

  /// - Parameters:
  ///   - saveEvery: the number of seconds after a checkpoint at which the next one is due, even within an epoch.
  ///   - measure: the measure that selects the best epoch; `nil` for none.
  init(saveEvery: Double, best measure: SelectionMeasure?) {
    self.saveEvery = saveEvery
    self.measure = measure
  }

  private static func name(_ measure: SelectionMeasure) -> String { "best checkpoint by \(measure.rawValue)" }

  var name: String { measure.map(CheckpointSchedule.name) ?? "checkpoints" }

  var memory: [Double] {
    get { best.map { [Double($0.step), $0.value] } ?? [] }
    set {
      let best = CheckpointSchedule.best(newValue)
      if best != nil || newValue.isEmpty { self.best = best }
    }
  }

  private static func best(_ memory: [Double]) -> (step: Int, value: Double)? {
    guard memory.count == 2, memory[1].isFinite, let step = Int(exactly: memory[0]),
      0...TrainingState.countLimit ~= step
    else { return nil }
    return (step, memory[1])
  }

  /// The step of the best epoch. It is read from a training state, which stores the `memory` of this observer; `nil` if
  /// the state stores none.
  static func bestStep(_ state: TrainingState) -> Int? {
    SelectionMeasure.allCases.lazy.compactMap { best(state.observerMemory[name($0)] ?? [])?.step }.first
  }

  func didStart(_ progress: TrainingProgress) throws(TrainingError) -> TrainingRequest {
    try measure?.check(progress, for: "the best checkpoint")
    lastSave = ContinuousClock.seconds
    return .continue
  }

  func didStep(_ progress: TrainingProgress) -> TrainingRequest {
    ContinuousClock.seconds - lastSave >= saveEvery ? .saveCheckpoint : .continue
  }

  func didFinishEpoch(_ progress: TrainingProgress) -> TrainingRequest {
    if let measure, let value = measure.value(progress), value.isFinite,
      best.map({ measure.isBetter(value, than: $0.value) }) ?? true
    {
      best = (progress.step, value)
      return .saveCheckpoint
    }
    // If a batch contains all examples, every step is an epoch. The limit of one second then avoids a checkpoint after
    // every step.
    return progress.isEpochEnd && ContinuousClock.seconds - lastSave >= 1 ? .saveCheckpoint : .continue
  }

  func willSaveCheckpoint(_ progress: TrainingProgress, path: String) { lastSave = ContinuousClock.seconds }
}

extension TrainingState {
  /// The step of the best epoch so far, whose checkpoint the run keeps; `nil` if there is no best epoch.
  public var bestStep: Int? { CheckpointSchedule.bestStep(self) }
}
