import ApusRuns

/// A subcommand: `apus <name> …`.
protocol Command: Sendable {
  static var name: String { get }
  /// One line about the command in the list of subcommands. It begins in lower case and has no full stop.
  static var summary: String { get }
  /// Further text of the help page, between the usage and the options; may be empty.
  static var discussion: String { get }
  /// The options, flags and arguments of the command. The arguments are in the order of their positions.
  static var declarations: [Declaration] { get }
  static func run(_ arguments: Arguments) throws
}

extension Command {
  static var discussion: String { "" }
}
