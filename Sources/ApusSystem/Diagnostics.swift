/// Writes progress, logs and errors to standard error.
package enum Diagnostics {
  /// The maximum number of Unicode scalars in a message; Apus's own messages are shorter.
  private static let limit = 16_384

  /// Writes a message of one or several lines. Control characters are escaped, so that text from a file cannot move the
  /// terminal's cursor.
  package static func write(_ message: String) {
    let line = message.printable(limit: limit, keepsLines: true)
    // A failure to write to standard error cannot be reported.
    try? FileDescriptor.standardError.write(Array((line + "\n").utf8))
  }
}
