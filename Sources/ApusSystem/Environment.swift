import Glibc

/// The environment variables of this process.
package enum Environment {
  /// The value of a variable; `nil` if the variable is unset or empty.
  package static subscript(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  /// Whether each step of a plan and each kernel launch is logged to stderr: `APUS_DEBUG` is set and is not 0.
  package static let logsSteps = Environment["APUS_DEBUG"].map { $0 != "0" } ?? false
}

/// Writes a line with the prefix `apus: ` to stderr in one call, so that lines of several threads do not mix.
package func warn(_ text: String) { writeToStandardError("apus: \(text)\n") }

/// Writes a text to stderr, in one call of `write` unless a signal interrupts the call.
package func writeToStandardError(_ text: String) {
  let bytes = Array(text.utf8)
  bytes.withUnsafeBytes { bytes in
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = write(STDERR_FILENO, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      if count < 0 && errno != EINTR { return }
      rest = rest.dropFirst(max(count, 0))
    }
  }
}
