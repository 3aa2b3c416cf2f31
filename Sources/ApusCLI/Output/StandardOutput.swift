import Apus
import ApusRuns
import ApusSystem

/// An error in writing results.
struct OutputError: Error, CustomStringConvertible {
  var description: String
}

/// Writes results. Every write is checked: a full disk must not look like success.
enum StandardOutput {
  static func write(line: String) throws(OutputError) {
    do throws(FileError) {
      try FileDescriptor.standardOutput.write(Array((line + "\n").utf8))
    } catch {
      throw OutputError(description: error.description)
    }
  }

  /// Writes a JSON object in one line.
  static func write(_ object: JSON) throws(OutputError) { try write(line: object.text()) }
}
