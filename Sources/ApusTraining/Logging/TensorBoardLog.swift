import ApusData
import ApusFiles
import Synchronization

/// Writes the records of a run, those of `metrics.jsonl`, for TensorBoard: each number a curve over the steps.
///
/// ```
/// let log = try TensorBoardLog(directory: "runs/lenet5-1/tensorboard")
/// options.onRecord = { try? log.write($0) }
/// ```
/// | key of the record | curve |
/// |---|---|
/// | `loss`, of a window of steps | `loss/step` |
/// | `train_x`, `test_x`, `validation_x` | `x/train`, `x/test`, `x/validation` |
/// | `seconds`, between two records that have it | `speed/steps_per_second` |
/// | `examples_per_second`, `loader_share`, `epoch_seconds` | `speed/…` |
/// | others, such as `learning_rate` | the key |
public final class TensorBoardLog: Sendable {
  private struct State {
    /// The last record that says how long the run has taken.
    var clock: (step: Int, seconds: Double)?
  }

  /// Where the numbers go; more than records may be added there.
  public let events: EventFile
  private let state = Mutex(State())

  /// Creates a file of events in a directory.
  /// - Parameter step: the finished steps of a run that goes on; see ``EventFile``.
  public convenience init(directory: String, resumingAfter step: Int = 0) throws(TrainingError) {
    try self.init(EventFile(directory: directory, resumingAfter: step), resumingAfter: step)
  }

  /// Writes to the folder `tensorboard` of a run.
  convenience init(run: Folder, resumingAfter step: Int) throws(TrainingError) {
    let folder = try reportingTraining { try run.folder(creating: "tensorboard") }
    try self.init(EventFile(folder, resumingAfter: step), resumingAfter: step)
  }

  private init(_ events: EventFile, resumingAfter step: Int) {
    self.events = events
    // How long a run that goes on had taken is not known here.
    if step == 0 { state.withLock { $0.clock = (0, 0) } }
  }

  /// Adds the numbers of a record. Those of an epoch are in the file when this returns, with all before.
  ///
  /// What is no number, and a record without a step, is left out.
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

  /// Writes what a run that ends within an epoch has added.
  public func flush() throws(TrainingError) { try events.flush() }

  /// `test_top5_accuracy` to `top5_accuracy/test`
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
