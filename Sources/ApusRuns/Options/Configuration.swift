import Apus
import ApusSystem

/// Values of options from a file, from `--set` or from an earlier run.
package struct Configuration {
  /// The source of the values, such as a path or `--set`. Errors name it.
  package let origin: String
  package let values: JSONObject

  package init(origin: String, values: JSONObject) {
    self.origin = origin
    self.values = values
  }

  /// Reads a JSON object from a file.
  package init(file path: String) throws {
    let bytes = try reportingFiles { () throws(FileError) in
      try FileDescriptor.contents(of: path, limit: Configuration.limit)
    }
    try self.init(origin: path, text: bytes)
  }

  /// The maximum size of a configuration file in bytes.
  package static let limit = 1 << 20

  /// Parses a JSON object from the contents of a file.
  package init(origin path: String, text bytes: [UInt8]) throws(DataError) {
    origin = path
    let remedy = "a configuration is an object such as {\"batch_size\": 64}"
    let json: JSON
    do throws(JSONError) {
      json = try JSON(parsing: bytes)
    } catch {
      throw DataError.malformed(
        path: path, format: "JSON", location: .offset(error.offset), reason: error.reason, remedy: remedy)
    }
    guard let object = json.object else {
      throw DataError.malformed(
        path: path, format: "configuration", location: .file, reason: "not an object", remedy: remedy)
    }
    values = object
  }

  /// Parses the `key=value` words of `--set`. If a key is repeated, the last value counts.
  package init(assignments: [String]) throws(OptionError) {
    origin = "--set"
    var object = JSONObject()
    for text in assignments {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else {
        throw OptionError("--set \(text): expected key=value")
      }
      object[String(parts[0])] = .string(String(parts[1]))
    }
    values = object
  }
}

extension Declaration {
  /// The key in configurations: `--batch-size` is `batch_size`.
  package var key: String { name.lowercased().replacing("-", with: "_") }
}

extension Arguments {
  /// Adds the values of a configuration for options that have no value yet.
  ///
  /// A value is parsed as on the command line. `null` has the same meaning as a missing key.
  package mutating func fill(
    from configuration: Configuration, _ declarations: [Declaration]
  ) throws(OptionError) {
    let given = self
    for (key, value) in configuration.values {
      guard let declaration = declarations.first(where: { $0.key == key.replacing("-", with: "_") }) else {
        throw OptionError(
          "\(configuration.origin): unknown key \(key.quoted())"
            + suggestion(for: key, in: declarations.map(\.key)))
      }
      let isGiven = given.contains(declaration) || given.containsAlternative(of: declaration)
      if value == .null || isGiven { continue }
      guard let parsed = declaration.value(of: value) else {
        throw OptionError("\(configuration.origin): \(key): \(value.text()) is not \(declaration.accepted)")
      }
      append(parsed, for: declaration)
    }
  }

  /// Whether the declaration is `--epochs` or `--steps` and one of these two alternatives is set. If a source of values
  /// sets one of them, sources of lower precedence set neither.
  private func containsAlternative(of declaration: Declaration) -> Bool {
    let pair = [RunOptions.epochs.declaration, RunOptions.steps.declaration]
    guard pair.contains(where: { $0.name == declaration.name }) else { return false }
    return pair.contains(where: contains)
  }
}

extension Declaration {
  fileprivate var accepted: String { role == .flag ? "true or false" : expectation }

  /// Parses a value from a configuration. For a flag, the result is a `Bool`. Returns `nil` if the option does not
  /// accept the value.
  fileprivate func value(of json: JSON) -> (any Sendable)? {
    guard let text = json.word else { return nil }
    guard role == .flag else { return parse(text) }
    return ["true": true, "false": false][text]
  }
}

extension JSON {
  /// A single value as it would be written on a command line; `nil` for `null`, arrays and objects.
  fileprivate var word: String? {
    switch self {
    case .string(let text): text
    case .bool, .integer, .number: text()
    default: nil
    }
  }
}
