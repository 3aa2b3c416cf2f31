import ApusData
import ApusSystem

/// `metrics.jsonl`: one JSON object per line, appended during the run.
final class MetricsLog {
  private let file: FileDescriptor
  private(set) var byteCount = 0

  static let name = "metrics.jsonl"

  /// Opens the file and truncates it to `byteCount`: later lines were written after the checkpoint that the run resumes
  /// from, and the run writes them again.
  init(in folder: Folder, keeping byteCount: Int) throws(TrainingError) {
    (file, self.byteCount) = try reportingTraining {
      let file = try folder.file(writing: MetricsLog.name)
      let kept = min(try file.byteCount(), byteCount)
      try file.truncate(to: kept)
      return (file, kept)
    }
  }

  func append(_ record: JSONObject) throws(TrainingError) {
    let line = Array((JSON.object(record).text() + "\n").utf8)
    try reportingTraining {
      try file.checkNotRemoved()
      try file.write(line)
    }
    byteCount += line.count
  }

  /// Flushes the lines to disk before a checkpoint that relies on them is written.
  func flush() throws(TrainingError) { try reportingTraining { try file.flush() } }
}

extension MetricsLog: TrainingObserver {
  func didRecord(_ progress: TrainingProgress, _ record: JSONObject) throws(TrainingError) -> TrainingRequest {
    try append(record)
    return .continue
  }

  func willSaveCheckpoint(_ progress: TrainingProgress, path: String) throws(TrainingError) { try flush() }

  func didEnd(_ progress: TrainingProgress, _ end: TrainingEnd) throws(TrainingError) { try flush() }
}
