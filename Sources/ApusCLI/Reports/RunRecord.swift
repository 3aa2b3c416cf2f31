import Apus
import ApusFiles

/// What a run has written: its settings and its metrics.
struct RunRecord {
  let path: String
  let configuration: JSONObject
  let settings: RunSettings
  let metrics: RunMetrics

  /// Reads the directory of a run.
  /// - Throws: where there is no run, or one of its files is damaged.
  init(path: String, command: String) throws {
    guard FileSystem.isDirectory(path) else {
      let reason = FileSystem.exists(path) ? "it is a file, not the directory of a run" : "there is none"
      throw DataError.inputOutput(path: path, operation: "read a run", reason: reason)
    }
    guard let stored = try RunDirectory(path: path).configuration() else {
      throw DataError.inputOutput(
        path: path, operation: "read a run",
        reason: "there is no config.json in it; apus train --output \(path) makes a run")
    }
    var arguments = Arguments()
    do {
      try arguments.fill(from: stored, RunOptions.declarations, command: command)
      settings = try RunSettings(arguments, command: command)
    } catch {
      // What stands in a file is no mistake of who gives the command.
      let text = (error as? UsageError)?.message ?? "\(error)"
      throw DataError.malformed(
        path: stored.origin, format: "configuration", place: .file,
        reason: text.hasPrefix(stored.origin) ? String(text.dropFirst(stored.origin.count + 2)) : text,
        remedy: "it was changed, or is of another version of apus")
    }
    configuration = stored.values
    self.path = path
    let file = "\(path)/metrics.jsonl"
    metrics = FileSystem.exists(file) ? try RunMetrics(path: file) : RunMetrics(records: [])
    if metrics.isCutOff {
      Diagnostics.write("\(file): the last line has no end and is left out: the run goes on, or was stopped in between")
    }
    if metrics.records.isEmpty {
      Diagnostics.write("\(path): the run has written no metrics yet: there are no curves")
    }
  }

  /// The records that close an epoch.
  var epochs: [JSONObject] { metrics.records.filter { $0["train_loss"] != nil || $0["test_loss"] != nil } }
}
