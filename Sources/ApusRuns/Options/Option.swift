/// An option with a value, `--name VALUE` or `--name=VALUE`.
package struct Option<Value: Sendable>: Sendable {
  package let name: String
  package let declaration: Declaration

  package init(_ name: String, _ kind: ValueKind<Value>, repeats: Bool = false, help: String) {
    self.name = name
    declaration = Declaration(role: .option, name: name, kind: kind, repeats: repeats, help: help)
  }
}

/// An option without a value, `--name`.
package struct Flag: Sendable {
  package let name: String
  package let declaration: Declaration

  package init(_ name: String, help: String) {
    self.name = name
    declaration = Declaration(flag: name, help: help)
  }
}

/// A positional argument.
package struct Argument<Value: Sendable>: Sendable {
  package let name: String
  package let declaration: Declaration

  /// - Parameters:
  ///   - isRequired: Whether at least one value is required.
  ///   - repeats: Whether the argument accepts all remaining values. Only the last argument of a command may do so.
  package init(
    _ kind: ValueKind<Value>, isRequired: Bool = true, repeats: Bool = false, help: String
  ) {
    name = kind.placeholder
    declaration = Declaration(
      role: isRequired ? .requiredArgument : .optionalArgument, name: name, kind: kind, repeats: repeats,
      help: help)
  }
}

/// An option, flag or argument without the Swift type of its value, for the parser, the help and the completions.
package struct Declaration: Sendable {
  package enum Role: Sendable { case flag, option, requiredArgument, optionalArgument }

  package let role: Role
  /// The name without the two hyphens before it; for arguments the placeholder.
  package let name: String
  package let placeholder: String
  package let expectation: String
  package let completion: Completion
  package let repeats: Bool
  package let help: String
  package let parse: @Sendable (String) -> (any Sendable)?

  package init<Value>(role: Role, name: String, kind: ValueKind<Value>, repeats: Bool, help: String) {
    self.role = role
    self.name = name
    self.repeats = repeats
    self.help = help
    placeholder = kind.placeholder
    expectation = kind.expectation
    completion = kind.completion
    parse = { kind.parse($0) }
  }

  package init(flag name: String, help: String) {
    role = .flag
    self.name = name
    self.help = help
    repeats = false
    placeholder = ""
    expectation = ""
    completion = .none
    parse = { _ in nil }
  }

  package var isArgument: Bool { role == .requiredArgument || role == .optionalArgument }

  /// How the declaration is written in the usage line.
  package var usage: String {
    switch role {
    case .flag: "[--\(name)]"
    case .option: "[--\(name) \(placeholder)]" + (repeats ? "…" : "")
    case .requiredArgument: placeholder + (repeats ? "…" : "")
    case .optionalArgument: "[\(placeholder)]" + (repeats ? "…" : "")
    }
  }

  /// How the declaration is written in the list of arguments or options.
  package var label: String {
    switch role {
    case .flag: "--\(name)"
    case .option: "--\(name) \(placeholder)"
    case .requiredArgument, .optionalArgument: placeholder
    }
  }
}

/// The values on a command line.
package struct Arguments: Sendable {
  private var values: [String: [any Sendable]] = [:]

  package init() {}

  package mutating func append(_ value: any Sendable, for declaration: Declaration) {
    values[declaration.name, default: []].append(value)
  }

  package func contains(_ declaration: Declaration) -> Bool { values[declaration.name] != nil }

  /// Whether the option with a configuration key, such as `batch_size`, is given.
  func contains(key: String) -> Bool { values[key.replacing("_", with: "-")] != nil }

  package subscript<Value>(option: Option<Value>) -> Value? { all(option).first }
  package subscript(flag: Flag) -> Bool { values[flag.name]?.first as? Bool ?? false }
  /// The value of an argument; after parsing, a required argument always has one.
  package subscript<Value>(argument: Argument<Value>) -> Value? { all(argument).first }

  package func all<Value>(_ option: Option<Value>) -> [Value] { all(option.name) }
  package func all<Value>(_ argument: Argument<Value>) -> [Value] { all(argument.name) }

  private func all<Value>(_ name: String) -> [Value] {
    (values[name] ?? []).map { value in
      guard let value = value as? Value else {
        fatalError("\(name) is declared twice, with values of different types")
      }
      return value
    }
  }
}
