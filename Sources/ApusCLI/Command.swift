import ApusRuns

/// A subcommand: `apus <name> …`.
protocol Command: Sendable {
  static var name: String { get }
  /// One line, without a full stop, that starts in lower case.
  static var summary: String { get }
  /// More about the command, between usage and options; empty if there is nothing to add.
  static var discussion: String { get }
  /// Options, flags and arguments; arguments in the order of their positions.
  static var declarations: [Declaration] { get }
  static func run(_ arguments: Arguments) throws
}

extension Command {
  static var discussion: String { "" }
}
