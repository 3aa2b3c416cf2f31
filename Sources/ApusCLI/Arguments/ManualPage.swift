import ApusRuns

/// The manual page `apus(1)` in the macros of man(7), generated from the declarations of all commands.
enum ManualPage {
  static func text(_ commands: [any Command.Type]) -> String {
    let head = """
      .TH APUS 1 "" "Apus \(ApusCommand.version)" "User Commands"
      .SH NAME
      apus \\- train neural networks on the CPU, with CUDA and with OpenCL
      .SH SYNOPSIS
      .B apus
      .I COMMAND
      [\\fIOPTION\\fR]...
      .SH DESCRIPTION
      Results go to standard output, progress and messages to standard error.
      .SH COMMANDS
      """
    let tail = """
      .SH EXIT STATUS
      \(entries(ExitCode.allCases.map { ("\\fB\($0.rawValue)\\fR", escaped($0.meaning)) }))
      """
    return ([head] + commands.map(section) + [tail]).joined(separator: "\n")
  }

  private static func section(_ command: any Command.Type) -> String {
    let usage = command.declarations.map { escaped($0.usage) }.joined(separator: " ")
    var lines = [".SS \(escaped(command.name))", escaped(sentence(command.summary)), ".PP"]
    lines.append("apus \(escaped(command.name)) \(usage)")
    if !command.discussion.isEmpty {
      let discussion = command.discussion.split(separator: "\n", omittingEmptySubsequences: false)
      lines += [".PP", ".nf"] + discussion.map { escaped(String($0)) } + [".fi"]
    }
    lines.append(entries(command.declarations.map { ("\\fB\(escaped($0.label))\\fR", escaped($0.help)) }))
    return lines.joined(separator: "\n")
  }

  private static func entries(_ rows: [(label: String, text: String)]) -> String {
    rows.map { ".TP\n\($0.label)\n\($0.text)" }.joined(separator: "\n")
  }

  private static func sentence(_ text: String) -> String { "\(text.prefix(1).uppercased())\(text.dropFirst())." }

  /// Escapes what roff interprets: backslashes, hyphens, and a dot or quote at the beginning of the text. Writes `…` as
  /// three dots.
  private static func escaped(_ text: String) -> String {
    let result = text.replacing("\\", with: "\\e").replacing("-", with: "\\-").replacing("…", with: "...")
    return result.hasPrefix(".") || result.hasPrefix("'") ? "\\&" + result : result
  }
}
