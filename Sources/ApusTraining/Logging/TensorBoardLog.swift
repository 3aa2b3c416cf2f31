import ApusData
import ApusSystem
import Synchronization

/// Writes the records of a run, which are also the lines of `metrics.jsonl`, for TensorBoard: the numbers under each
/// key become a curve over the steps.
///
/// ```swift
/// let log = try TensorBoardLog(folder: "/tmp/tensorboard")
/// let trainer = Trainer(model, Adam(), on: train, observers: [log], options)
/// ```
/// | key of the record | curve |
/// |---|---|
/// | `loss`, the mean over the steps since the last such record | `loss/step` |
/// | `train_x`, `test_x`, `validation_x` | `x/train`, `x/test`, `x/validation` |
/// | `seconds`, as a rate between two records that have it | `speed/steps_per_second` |
/// | `examples_per_second`, `loader_share`, `epoch_seconds` | `speed/…` |
/// | others, such as `learning_rate` | the key |
public final class TensorBoardLog: Sendable {
  private struct State {
    /// The step and time of the last record that contains the time.
    var clock: (step: Int, seconds: Double)?
  }

  /// The event file that receives the numbers; other events may be added to it.
  public let events: EventFile
  private let state = Mutex(State())

  /// Creates an event file in a folder.
  /// - Parameter step: the number of finished steps of a resumed run; see ``EventFile``.
  public convenience init(folder: String, resumingAfter step: Int = 0) throws(TrainingError) {
    try self.init(EventFile(folder: folder, resumingAfter: step), resumingAfter: step)
  }

  /// Writes to the folder `tensorboard` of a run.
  convenience init(run: Folder, resumingAfter step: Int) throws(TrainingError) {
    let folder = try reportingTraining { try run.folder(creating: "tensorboard") }
    try self.init(EventFile(folder, resumingAfter: step), resumingAfter: step)
  }

  private init(_ events: EventFile, resumingAfter step: Int) {
    self.events = events
    // The time that a resumed run had spent is not known here, so the first record with a time gives no rate.
    if step == 0 { state.withLock { $0.clock = (0, 0) } }
  }

  /// Adds the numbers of a record. After the record of the end of an epoch, it also writes all
  /// buffered events to the file.
  ///
  /// The epoch, values that are not numbers, and records without a step are left out.
  public func write(_ record: JSONObject) throws(TrainingError) {
    guard let step = record["step"]?.integer else { return }
    var isEpochEnd = false
    for (key, value) in record where !["step", "epoch", "seconds"].contains(key) {
      guard let number = value.number else { continue }
      if key != "loss", key != "learning_rate" { isEpochEnd = true }
      events.add(scalar: number, TensorBoardLog.tag(of: key), step: step)
    }
    if let seconds = record["seconds"]?.number { addSpeed(step, seconds) }
    if isEpochEnd { try events.flush() }
  }

  /// Writes the buffered events to the file.
  public func flush() throws(TrainingError) { try events.flush() }

  /// `test_top5_accuracy` becomes `top5_accuracy/test`.
  static func tag(of key: String) -> String {
    if key == "loss" { return "loss/step" }
    if ["examples_per_second", "loader_share", "epoch_seconds"].contains(key) { return "speed/\(key)" }
    for part in ["train", "test", "validation"] where key.hasPrefix("\(part)_") {
      return "\(key.dropFirst(part.count + 1))/\(part)"
    }
    return key
  }

  private func addSpeed(_ step: Int, _ seconds: Double) {
    let last = state.withLock { state in
      let last = state.clock
      state.clock = (step, seconds)
      return last
    }
    guard let last, step > last.step, seconds > last.seconds else { return }
    let rate = Double(step - last.step) / (seconds - last.seconds)
    events.add(scalar: rate, "speed/steps_per_second", step: step)
  }
}

extension TensorBoardLog: TrainingObserver {
  public func didRecord(_ progress: TrainingProgress, _ record: JSONObject) throws(TrainingError) -> TrainingRequest {
    try write(record)
    return .continue
  }

  public func willSaveCheckpoint(_ progress: TrainingProgress, path: String) throws(TrainingError) { try flush() }

  public func didEnd(_ progress: TrainingProgress, _ end: TrainingEnd) throws(TrainingError) { try flush() }
}
