import ApusData
import ApusFiles

/// `metrics.jsonl`: one JSON object a line, appended while the run goes on.
final class MetricsLog {
  private let file: FileDescriptor
  private(set) var byteCount = 0

  static let name = "metrics.jsonl"

  /// Opens the file. What lies beyond `byteCount` was written after the checkpoint that a run goes on from, and is
  /// cut off: the run will write it again.
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

  /// Brings the lines to the disk, ahead of a checkpoint that counts on them.
  func flush() throws(TrainingError) { try reportingTraining { try file.flush() } }
}
