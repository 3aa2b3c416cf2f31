import Apus
import ApusSystem

/// The settings and the metrics of a run, read from its folder.
package struct RunRecord {
  /// The folder of the run. The report about the run is also written to it.
  package let files: RunFiles
  package let configuration: JSONObject
  package let settings: RunSettings
  package let metrics: RunMetrics

  /// Reads the folder of a run.
  /// - Throws: if the folder contains no run, or one of its files is damaged.
  package init(path: String) throws {
    try RunFiles.check(path)
    files = try RunFiles(reading: path)
    guard let stored = try files.configuration() else {
      throw DataError.inputOutput(path: path, operation: "read a run", reason: "there is no config.json in it")
    }
    settings = try RunSettings(stored: stored)
    configuration = stored.values
    metrics = try files.readMetrics() ?? RunMetrics(records: [])
    if metrics.isCutOff {
      Diagnostics.write(
        "\(path)/metrics.jsonl: the last line is incomplete and left out: the run is still training, or was "
          + "interrupted")
    }
    if metrics.records.isEmpty {
      Diagnostics.write("\(path): the run has written no metrics yet: there are no curves")
    }
  }

  package var path: String { files.path }

  /// The records that were written at the end of an epoch.
  package var epochs: [JSONObject] { metrics.records.filter { $0["train_loss"] != nil || $0["test_loss"] != nil } }
}
