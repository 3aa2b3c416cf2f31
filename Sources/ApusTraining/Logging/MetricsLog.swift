import ApusData
import ApusFiles
import Glibc

/// `metrics.jsonl`: one JSON object a line, appended while the run goes on.
final class MetricsLog {
  private let path: String
  private let file: Int32
  private(set) var byteCount = 0

  /// Opens the file. What lies beyond `byteCount` was written after the checkpoint that a run goes on from, and is
  /// cut off: the run will write it again.
  init(path: String, keeping byteCount: Int) throws(TrainingError) {
    self.path = path
    file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
    guard file >= 0 else { throw MetricsLog.failure("open", path) }
    var status = stat()
    let size = fstat(file, &status) == 0 ? Int(status.st_size) : 0
    self.byteCount = min(size, byteCount)
    guard ftruncate(file, off_t(self.byteCount)) == 0, lseek(file, off_t(self.byteCount), SEEK_SET) >= 0 else {
      let failure = MetricsLog.failure("truncate", path)
      close(file)
      throw failure
    }
  }

  deinit { close(file) }

  func append(_ record: JSONObject) throws(TrainingError) {
    let line = Array((JSON.object(record).text() + "\n").utf8)
    var done = 0
    while done < line.count {
      let count = line.withUnsafeBytes { write(file, $0.baseAddress! + done, $0.count - done) }
      if count < 0 {
        if errno == EINTR { continue }
        throw MetricsLog.failure("write", path)
      }
      done += count
    }
    byteCount += line.count
  }

  /// Brings the lines to the disk, ahead of a checkpoint that counts on them.
  func flush() throws(TrainingError) {
    guard fsync(file) == 0 else { throw MetricsLog.failure("flush", path) }
  }

  private static func failure(_ operation: String, _ path: String) -> TrainingError {
    .inputOutput(path: path, operation: operation, reason: String(cString: strerror(errno)))
  }
}
