import ApusData
import ApusFiles
import Glibc

/// `metrics.jsonl`: one JSON object a line, appended while the run goes on.
final class MetricsLog {
  private let file: FileDescriptor
  private(set) var byteCount = 0

  /// Opens the file. What lies beyond `byteCount` was written after the checkpoint that a run goes on from, and is
  /// cut off: the run will write it again.
  init(path: String, keeping byteCount: Int) throws(TrainingError) {
    let number = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
    guard number >= 0 else { throw MetricsLog.failure("open", path) }
    let file = FileDescriptor(path: path, number: number)
    self.file = file
    self.byteCount = min(try reportingTraining { try file.byteCount() }, byteCount)
    guard ftruncate(number, off_t(self.byteCount)) == 0, lseek(number, off_t(self.byteCount), SEEK_SET) >= 0 else {
      throw MetricsLog.failure("truncate", path)
    }
  }

  func append(_ record: JSONObject) throws(TrainingError) {
    let line = Array((JSON.object(record).text() + "\n").utf8)
    try reportingTraining { try file.write(line) }
    byteCount += line.count
  }

  /// Brings the lines to the disk, ahead of a checkpoint that counts on them.
  func flush() throws(TrainingError) {
    guard fsync(file.number) == 0 else { throw MetricsLog.failure("flush", file.path) }
  }

  private static func failure(_ operation: String, _ path: String) -> TrainingError {
    TrainingError(FileError(operation: operation, path: path, code: errno))
  }
}
