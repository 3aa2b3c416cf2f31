import Apus
import ApusFiles

/// The files of a run: its settings and its metrics.
package struct RunRecord {
  /// The directory of the run, which also receives the page about it.
  package let directory: RunDirectory
  package let configuration: JSONObject
  package let settings: RunSettings
  package let metrics: RunMetrics

  /// Reads the directory of a run.
  /// - Throws: if there is no run, or one of its files is damaged.
  package init(path: String) throws {
    guard FileSystem.isDirectory(path) else {
      let reason = FileSystem.exists(path) ? "it is a file, not the folder of a run" : "it does not exist"
      throw DataError.inputOutput(path: path, operation: "read a run", reason: reason)
    }
    directory = try RunDirectory(reading: path)
    guard let stored = try directory.configuration() else {
      throw DataError.inputOutput(
        path: path, operation: "read a run",
        reason: "there is no config.json in it; apus train --output \(path) makes a run")
    }
    settings = try RunSettings(stored: stored)
    configuration = stored.values
    metrics = try directory.readMetrics() ?? RunMetrics(records: [])
    if metrics.isCutOff {
      Diagnostics.write(
        "\(path)/metrics.jsonl: the last line is incomplete and left out: the run is still training, or was "
          + "interrupted")
    }
    if metrics.records.isEmpty {
      Diagnostics.write("\(path): the run has written no metrics yet: there are no curves")
    }
  }

  package var path: String { directory.path }

  /// The records at the ends of epochs.
  package var epochs: [JSONObject] { metrics.records.filter { $0["train_loss"] != nil || $0["test_loss"] != nil } }
}
