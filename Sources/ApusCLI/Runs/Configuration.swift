import Apus
import ApusFiles

/// Values for options from elsewhere than the command line: a file, `--set`, an earlier run.
struct Configuration {
  /// Where the values come from, for errors.
  let origin: String
  let values: JSONObject

  init(origin: String, values: JSONObject) {
    self.origin = origin
    self.values = values
  }

  /// Reads a JSON object from a file.
  init(file path: String) throws {
    let bytes = try reportingFiles { () throws(FileError) in
      try FileDescriptor.contents(of: path, limit: Configuration.limit)
    }
    try self.init(origin: path, text: bytes)
  }

  /// The largest file that is read.
  static let limit = 1 << 20

  /// Reads a JSON object that a file holds.
  init(origin path: String, text bytes: [UInt8]) throws(DataError) {
    origin = path
    let remedy = "a configuration is an object such as {\"batch_size\": 64}"
    let json: JSON
    do throws(JSONError) {
      json = try JSON(parsing: bytes)
    } catch {
      throw DataError.malformed(
        path: path, format: "JSON", place: .offset(error.offset), reason: error.reason, remedy: remedy)
    }
    guard let object = json.object else {
      throw DataError.malformed(
        path: path, format: "configuration", place: .file, reason: "not an object", remedy: remedy)
    }
    values = object
  }

  /// Reads the `key=value` words of `--set`; of a key that comes twice the last counts.
  init(assignments: [String], command: String) throws(UsageError) {
    origin = "--set"
    var object = JSONObject()
    for text in assignments {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else {
        throw UsageError(command: command, message: "--set \(text): expected key=value")
      }
      object[String(parts[0])] = .string(String(parts[1]))
    }
    values = object
  }
}

extension Declaration {
  /// The key in configurations: `--batch-size` is `batch_size`.
  var key: String { name.lowercased().replacing("-", with: "_") }
}

extension Arguments {
  /// With the values of `--set`, then those of `--config`, for options of a run that the command line leaves open.
  func filled(command: String) throws -> Arguments {
    var filled = self
    let assignments = try Configuration(assignments: all(TrainCommand.set), command: command)
    try filled.fill(from: assignments, RunOptions.declarations, command: command)
    if let path = self[TrainCommand.configuration] {
      try filled.fill(from: Configuration(file: path), RunOptions.declarations, command: command)
    }
    return filled
  }

  /// Takes over the values of a configuration for options that have none yet.
  ///
  /// A value is read as it would be on the command line. `null` stands for nothing, as if the key were not there.
  mutating func fill(
    from configuration: Configuration, _ declarations: [Declaration], command: String
  ) throws(UsageError) {
    let given = self
    for (key, value) in configuration.values {
      guard let declaration = declarations.first(where: { $0.key == key.replacing("-", with: "_") }) else {
        throw UsageError(
          command: command,
          message: "\(configuration.origin): unknown key \(key.quoted())"
            + suggestion(for: key, in: declarations.map(\.key)))
      }
      let isGiven = given.contains(declaration) || given.containsAlternative(of: declaration)
      if value == .null || isGiven { continue }
      guard let parsed = declaration.value(of: value) else {
        throw UsageError(
          command: command,
          message: "\(configuration.origin): \(key): \(value.text()) is not \(declaration.accepted)")
      }
      append(parsed, for: declaration)
    }
  }

  /// A run has a number of epochs or one of steps: a choice of the one outdoes an earlier choice of the other.
  private func containsAlternative(of declaration: Declaration) -> Bool {
    let pair = [RunOptions.epochs.declaration, RunOptions.steps.declaration]
    guard pair.contains(where: { $0.name == declaration.name }) else { return false }
    return pair.contains { contains($0) }
  }
}

extension Declaration {
  fileprivate var accepted: String { role == .flag ? "true or false" : expectation }

  /// The value that a member of a configuration stands for; of a flag a `Bool`.
  fileprivate func value(of json: JSON) -> (any Sendable)? {
    guard let text = json.word else { return nil }
    guard role == .flag else { return parse(text) }
    return ["true": true, "false": false][text]
  }
}

extension JSON {
  /// A single value as it would be written on a command line.
  fileprivate var word: String? {
    switch self {
    case .string(let text): text
    case .bool, .integer, .number: text()
    default: nil
    }
  }
}
