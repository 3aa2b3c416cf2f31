/// An option with a value, `--name VALUE` or `--name=VALUE`.
struct Option<Value: Sendable>: Sendable {
  let name: String
  let declaration: Declaration

  init(_ name: String, _ kind: ValueKind<Value>, repeats: Bool = false, help: String) {
    self.name = name
    declaration = Declaration(role: .option, name: name, kind: kind, repeats: repeats, help: help)
  }
}

/// An option without a value, `--name`.
struct Flag: Sendable {
  let name: String
  let declaration: Declaration

  init(_ name: String, help: String) {
    self.name = name
    declaration = Declaration(flag: name, help: help)
  }
}

/// A positional argument.
struct Argument<Value: Sendable>: Sendable {
  let name: String
  let declaration: Declaration

  /// - Parameters:
  ///   - isRequired: whether at least one value is required
  ///   - repeats: whether it accepts all remaining values; only the last argument of a command may
  init(
    _ kind: ValueKind<Value>, isRequired: Bool = true, repeats: Bool = false, help: String
  ) {
    name = kind.placeholder
    declaration = Declaration(
      role: isRequired ? .requiredArgument : .optionalArgument, name: name, kind: kind, repeats: repeats,
      help: help)
  }
}

/// An option, flag or argument without its type, for the parser, the help and the completions.
struct Declaration: Sendable {
  enum Role: Sendable { case flag, option, requiredArgument, optionalArgument }

  let role: Role
  /// The name without hyphens; for arguments the placeholder.
  let name: String
  let placeholder: String
  let expectation: String
  let completion: Completion
  let repeats: Bool
  let help: String
  let parse: @Sendable (String) -> (any Sendable)?

  init<Value>(role: Role, name: String, kind: ValueKind<Value>, repeats: Bool, help: String) {
    self.role = role
    self.name = name
    self.repeats = repeats
    self.help = help
    placeholder = kind.placeholder
    expectation = kind.expectation
    completion = kind.completion
    parse = { kind.parse($0) }
  }

  init(flag name: String, help: String) {
    role = .flag
    self.name = name
    self.help = help
    repeats = false
    placeholder = ""
    expectation = ""
    completion = .none
    parse = { _ in nil }
  }

  var isArgument: Bool { role == .requiredArgument || role == .optionalArgument }

  /// How the declaration is written in the usage line.
  var usage: String {
    switch role {
    case .flag: "[--\(name)]"
    case .option: "[--\(name) \(placeholder)]" + (repeats ? "…" : "")
    case .requiredArgument: placeholder + (repeats ? "…" : "")
    case .optionalArgument: "[\(placeholder)]" + (repeats ? "…" : "")
    }
  }

  /// How the declaration is written in the list of its kind.
  var label: String {
    switch role {
    case .flag: "--\(name)"
    case .option: "--\(name) \(placeholder)"
    case .requiredArgument, .optionalArgument: placeholder
    }
  }
}

/// The values on a command line.
struct Arguments: Sendable {
  private var values: [String: [any Sendable]] = [:]

  mutating func append(_ value: any Sendable, for declaration: Declaration) {
    values[declaration.name, default: []].append(value)
  }

  func contains(_ declaration: Declaration) -> Bool { values[declaration.name] != nil }

  subscript<Value>(option: Option<Value>) -> Value? { all(option).first }
  subscript(flag: Flag) -> Bool { values[flag.name]?.first as? Bool ?? false }
  /// The value of an argument; a required argument always has one.
  subscript<Value>(argument: Argument<Value>) -> Value? { all(argument).first }

  func all<Value>(_ option: Option<Value>) -> [Value] { all(option.name) }
  func all<Value>(_ argument: Argument<Value>) -> [Value] { all(argument.name) }

  private func all<Value>(_ name: String) -> [Value] {
    (values[name] ?? []).map { value in
      guard let value = value as? Value else {
        fatalError("\(name) is declared twice, with values of different types")
      }
      return value
    }
  }
}
