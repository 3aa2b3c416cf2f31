import ApusSystem

/// An error in data, with the file, the location in the file and a remedy.
public enum DataError: Error, Hashable, Sendable {
  /// An operation on a file or folder failed: the file does not exist, the user may not read it, the disk is full, …
  case inputOutput(path: String, operation: String, reason: String)
  /// The files of a data set are missing. `remedy` says how to get them.
  case missing(dataset: String, path: String, remedy: String)
  /// The file violates its format.
  case malformed(path: String, format: String, location: Location, reason: String, remedy: String)
  /// The file is well-formed, but its content is not supported or not suitable, for example too short.
  case unsupported(path: String, format: String, reason: String, remedy: String)
  /// The data or an operation on them exceeds a limit, which `reason` names.
  case tooLarge(source: String, reason: String, remedy: String)
  /// A source string names no known data set.
  case unknownSource(String, known: [String])
  /// A specification, such as a list of transforms, contains an invalid word.
  case specification(text: String, word: String, reason: String)

  /// The location of an error in a file.
  public enum Location: Hashable, Sendable {
    case file
    /// A byte offset, counted from 0. For a compressed file, it is an offset in the decompressed content or, if the
    /// compressed data are damaged, in the stored file.
    case offset(Int)
    /// The record or array element, counted from 0.
    case record(Int)
    /// The line of a text, counted from 1.
    case line(Int)
    /// A named element, for example a tensor.
    case name(String)
  }

  package init(_ error: FileError) {
    // A file above the size limit is readable, so its error is not `inputOutput`.
    guard !error.isTooLarge else {
      self = .tooLarge(source: error.path, reason: error.reason, remedy: "use a smaller file")
      return
    }
    self = .inputOutput(path: error.path, operation: error.operation, reason: error.reason)
  }
}

extension DataError.Location: CustomStringConvertible {
  public var description: String {
    switch self {
    case .file: ""
    case .offset(let offset): "at byte \(offset)"
    case .record(let record): "in record \(record)"
    case .line(let line): "in line \(line)"
    case .name(let name): "in \(name.quoted())"
    }
  }
}

extension DataError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .inputOutput(let path, let operation, let reason):
      return "\(path.printable()): cannot \(operation): \(reason.printable(limit: 2000))"
    case .missing(let dataset, let path, let remedy):
      return "the data set \(dataset) was not found (no \(path.printable())); \(remedy)"
    case .malformed(let path, let format, let location, let reason, let remedy):
      let position = location == .file ? "" : " \(location)"
      return "\(path.printable()): not a valid \(format) file\(position): \(reason.printable(limit: 2000)); \(remedy)"
    case .unsupported(let path, let format, let reason, let remedy):
      return "\(path.printable()): cannot use this \(format) file: \(reason.printable(limit: 2000)); \(remedy)"
    case .tooLarge(let source, let reason, let remedy):
      return "\(source.printable()): \(reason.printable(limit: 2000)); \(remedy)"
    case .specification(let text, _, let reason):
      return "\(text.quoted(limit: 200)): \(reason.printable(limit: 2000))"
    case .unknownSource(let source, let known):
      // Only the names before the colons are compared: the text after a colon, such as a path, may be anything.
      let names = known.map { String($0.prefix { $0 != ":" }) }
      let match = nearestMatch(to: String(source.prefix { $0 != ":" }), in: names)
      let meant = match.flatMap { names.firstIndex(of: $0) }.map { "; did you mean \(known[$0])?" } ?? ""
      return "unknown data source \(source.quoted(limit: 200))\(meant) (choose from \(known.joined(separator: ", ")))"
    }
  }
}

/// Converts a `FileError` that `body` throws into a `DataError`.
package func reportingFiles<R: ~Copyable>(_ body: () throws(FileError) -> R) throws(DataError) -> R {
  do throws(FileError) { return try body() } catch { throw DataError(error) }
}
