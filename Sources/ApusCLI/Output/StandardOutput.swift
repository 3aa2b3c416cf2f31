import Apus
import ApusFiles
import Glibc

/// Results could not be written.
struct OutputError: Error, CustomStringConvertible {
  var description: String
}

/// Where results go. Every write is checked: a full disk must not look like success.
enum StandardOutput {
  private static let file = FileDescriptor(path: "standard output", number: STDOUT_FILENO)

  static func write(line: String) throws(OutputError) {
    do throws(FileError) {
      try file.write(Array((line + "\n").utf8))
    } catch {
      throw OutputError(description: error.description)
    }
  }

  /// One JSON object, in one line.
  static func write(_ object: JSON) throws(OutputError) { try write(line: object.text()) }
}

/// Where progress, logs and errors go.
enum Diagnostics {
  private static let file = FileDescriptor(path: "standard error", number: STDERR_FILENO)

  /// Whether someone looks on.
  static let isTerminal = isatty(STDERR_FILENO) == 1

  static func write(_ line: String) {
    // There is nowhere left to report a failure to.
    try? file.write(Array((line + "\n").utf8))
  }
}
