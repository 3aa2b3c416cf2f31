import Apus
import ApusFiles

/// Results could not be written.
struct OutputError: Error, CustomStringConvertible {
  var description: String
}

/// Where results go. Every write is checked: a full disk must not look like success.
enum StandardOutput {
  static func write(line: String) throws(OutputError) {
    do throws(FileError) {
      try FileDescriptor.standardOutput.write(Array((line + "\n").utf8))
    } catch {
      throw OutputError(description: error.description)
    }
  }

  /// One JSON object, in one line.
  static func write(_ object: JSON) throws(OutputError) { try write(line: object.text()) }
}

/// Where progress, logs and errors go.
enum Diagnostics {
  /// The most characters of one message: all that a library says is shorter.
  private static let limit = 16_384

  /// Writes a message of one or several lines. Whatever it quotes, no byte of it can move the terminal's cursor.
  static func write(_ message: String) {
    let line = message.printable(limit: limit, keepsLines: true)
    // There is nowhere left to report a failure to.
    try? FileDescriptor.standardError.write(Array((line + "\n").utf8))
  }
}
