import ApusRuns

/// A subcommand: `apus <name> …`.
protocol Command: Sendable {
  static var name: String { get }
  /// One line that starts in lower case and has no full stop.
  static var summary: String { get }
  /// Further text of the help, printed between the usage and the options. May be empty.
  static var discussion: String { get }
  /// Options, flags and arguments. The arguments are in the order of their positions.
  static var declarations: [Declaration] { get }
  static func run(_ arguments: Arguments) throws
}

extension Command {
  static var discussion: String { "" }
}
