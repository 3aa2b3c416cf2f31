/// Writes progress, logs and errors to standard error.
package enum Diagnostics {
  /// The maximum number of characters in a message; messages of the library are shorter.
  private static let limit = 16_384

  /// Writes a message of one or several lines. Quoted text is escaped, so that it cannot move the terminal's cursor.
  package static func write(_ message: String) {
    let line = message.printable(limit: limit, keepsLines: true)
    // A failure to write to standard error cannot be reported.
    try? FileDescriptor.standardError.write(Array((line + "\n").utf8))
  }
}
