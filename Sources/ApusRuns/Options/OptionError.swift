/// An invalid value or combination of options. The message names options as on the command line: `--batch-size`.
public struct OptionError: Error, CustomStringConvertible {
  /// The description of the error.
  public let message: String

  /// Creates an error with a message.
  public init(_ message: String) { self.message = message }

  public var description: String { message }
}
