import Apus
import ApusFiles

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

/// Writes progress, logs and errors.
enum Diagnostics {
  /// The maximum number of characters in a message; messages of the library are shorter.
  private static let limit = 16_384

  /// Writes a message of one or several lines. Quoted text is escaped, so that it cannot move the terminal's cursor.
  static func write(_ message: String) {
    let line = message.printable(limit: limit, keepsLines: true)
    // There is no other place to report a failure.
    try? FileDescriptor.standardError.write(Array((line + "\n").utf8))
  }
}
