import ApusRuns

/// The texts of `--help`.
enum Help {
  /// The text of `apus --help`: the usage, and a line for each command.
  static func overview(_ commands: [any Command.Type]) -> String {
    """
    Apus \(ApusCommand.version): trains neural networks on the CPU and on OpenCL devices.

    usage: apus COMMAND [OPTION]…

    \(rows(commands.map { ($0.name, $0.summary) }))

    apus COMMAND --help explains a command, apus --version prints the version.
    """
  }

  /// The text that `apus COMMAND --help` prints.
  static func page(_ command: any Command.Type) -> String {
    let arguments = command.declarations.filter(\.isArgument)
    let options = command.declarations.filter { !$0.isArgument }
    var sections = [
      "\(command.summary.prefix(1).uppercased())\(command.summary.dropFirst()).",
      usage(command.name, arguments + options),
    ]
    if !command.discussion.isEmpty { sections.append(command.discussion) }
    if !arguments.isEmpty { sections.append(rows(arguments.map { ($0.label, $0.help) })) }
    let help = ("--help", "show this page")
    sections.append(rows(options.map { ($0.label, $0.help) } + [help]))
    return sections.joined(separator: "\n\n")
  }

  private static func usage(_ name: String, _ declarations: [Declaration]) -> String {
    var lines = ["usage: apus \(name)"]
    for word in declarations.map(\.usage) {
      if lines[lines.count - 1].count + word.count > 99 { lines.append("        ") }
      lines[lines.count - 1] += " " + word
    }
    return lines.joined(separator: "\n")
  }

  /// Two columns, the second one wrapped.
  static func rows(_ rows: [(String, String)]) -> String {
    let width = min(28, (rows.map(\.0.count).max() ?? 0) + 2)
    return rows.map { label, help in
      let lines = wrapped(help, width: 96 - width)
      let indent = String(repeating: " ", count: width + 2)
      let start =
        label.count + 2 <= width
        ? "  " + label + String(repeating: " ", count: width - label.count) : "  \(label)\n\(indent)"
      return start + lines.joined(separator: "\n" + indent)
    }.joined(separator: "\n")
  }

  private static func wrapped(_ text: String, width: Int) -> [String] {
    var lines = [""]
    for word in text.split(separator: " ") {
      let separator = lines[lines.count - 1].isEmpty ? "" : " "
      if !separator.isEmpty, lines[lines.count - 1].count + word.count >= width {
        lines.append(String(word))
      } else {
        lines[lines.count - 1] += separator + word
      }
    }
    return lines
  }
}
