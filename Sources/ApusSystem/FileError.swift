import Glibc

/// A failed operation on a file, such as reading the file or running it as a program.
package struct FileError: Error, Hashable, Sendable {
  /// The operation that failed: `open`, `read`, `write`, …
  package var operation: String
  package var path: String
  /// The `errno` of the call that failed; 0 if no call failed, for example if the file is not of the expected kind.
  package var code: Int32
  /// Additional information, for example the number of bytes needed.
  package var detail: String?

  package init(operation: String, path: String, code: Int32, detail: String? = nil) {
    self.operation = operation
    self.path = path
    self.code = code
    self.detail = detail
  }

  /// Returns the failure that the current `errno` describes.
  static func current(_ operation: String, _ path: String, detail: String? = nil) -> FileError {
    FileError(operation: operation, path: path, code: errno, detail: detail)
  }
}

extension FileError: CustomStringConvertible {
  /// Whether a file to be read is larger than the reader's limit.
  package var isTooLarge: Bool { code == EFBIG && operation == "read" }

  /// The reason alone, without the path.
  package var reason: String {
    let cause = code == 0 ? nil : String(cString: strerror(code))
    return [cause, detail].compactMap(\.self).joined(separator: ": ")
  }

  package var description: String { "\(path.printable()): cannot \(operation): \(reason.printable(limit: 2000))" }
}
