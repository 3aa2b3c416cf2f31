import Apus
import ApusFiles

/// The model of a run or checkpoint, with everything that is needed to use it.
struct StoredModel {
  let checkpoint: Checkpoint
  let settings: RunSettings
  let format: DataFormat

  static let argument = Argument(
    ValueKind<String>("RUN", expectation: "a run or a checkpoint", completion: .directories) { $0.isEmpty ? nil : $0 },
    help: "the folder of a run, for its newest checkpoint, or of a checkpoint")

  /// Reads the description of the model in a checkpoint, and verifies the checkpoint's files.
  /// - Parameter choice: which checkpoint of a run; `nil` for the newest one, or the path's own.
  init(path: String, command: String, checkpoint choice: CheckpointChoice? = nil) throws {
    guard FileSystem.isDirectory(path) else {
      let reason = FileSystem.exists(path) ? "it is a file, not the folder of a run or checkpoint" : "there is none"
      throw DataError.inputOutput(path: path, operation: "read a checkpoint", reason: reason)
    }
    do throws(TrainingError) {
      checkpoint = try Checkpoint.find(path, choice ?? .last, warn: Diagnostics.write)
    } catch {
      guard case .noCheckpoint(_, let damaged) = error else { throw error }
      guard let first = damaged.first else {
        throw DataError.inputOutput(
          path: path, operation: "read a checkpoint", reason: "there is none; apus train --output \(path) makes one")
      }
      throw TrainingError.damaged(path: path, reason: "no checkpoint is whole: \(first)")
    }
    guard choice == nil || checkpoint.path != path else {
      throw UsageError(command: command, message: "--checkpoint chooses one of a run's; \(path) is a checkpoint itself")
    }
    let stored = checkpoint.state.configuration
    settings = try RunSettings(
      stored: Configuration(origin: checkpoint.path, values: stored["settings"]?.object ?? [:]), command: command)
    guard let format = DataFormat(stored) else {
      throw TrainingError.mismatch(path: checkpoint.path, reason: "it does not say what data it takes")
    }
    self.format = format
  }

  /// The error for a checkpoint whose data format does not fit its model.
  var mismatch: TrainingError {
    .mismatch(path: checkpoint.path, reason: "its data are not those of a \(settings.model.name)")
  }

  /// The model with its weights, on the current device.
  func load() throws -> any Layer {
    let model = try settings.makeModel(for: format)
    try checkpoint.load(into: model)
    return model
  }
}
