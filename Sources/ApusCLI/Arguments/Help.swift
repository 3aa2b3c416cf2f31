import ApusRuns

/// The texts of `--help`.
enum Help {
  /// The maximum length of a line of help, in columns of the terminal.
  static let width = 80

  /// The text of `apus --help`: the usage, and a line for each command.
  static func overview(_ commands: [any Command.Type]) -> String {
    """
    Apus \(ApusCommand.version): trains neural networks on the CPU, with CUDA and with OpenCL.

    usage: apus COMMAND [OPTION]…

    \(rows(commands.map { ($0.name, $0.summary) }, width: width))

    apus COMMAND --help explains a command, apus --version prints the version.
    """
  }

  /// The text that `apus COMMAND --help` prints.
  static func page(_ command: any Command.Type) -> String {
    let arguments = command.declarations.filter(\.isArgument)
    let options = command.declarations.filter { !$0.isArgument }
    var sections = [
      paragraphs("\(command.summary.prefix(1).uppercased())\(command.summary.dropFirst())."),
      usage(command.name, arguments + options),
    ]
    if !command.discussion.isEmpty { sections.append(paragraphs(command.discussion)) }
    if !arguments.isEmpty { sections.append(rows(arguments.map { ($0.label, $0.help) }, width: width)) }
    let help = ("--help", "show this page")
    sections.append(rows(options.map { ($0.label, $0.help) } + [help], width: width))
    return sections.joined(separator: "\n\n")
  }

  private static func usage(_ name: String, _ declarations: [Declaration]) -> String {
    var lines = ["usage: apus \(name)"]
    for word in declarations.map(\.usage) {
      if lines[lines.count - 1].count + word.count >= width { lines.append("        ") }
      lines[lines.count - 1] += " " + word
    }
    return lines.joined(separator: "\n")
  }

  /// Wraps a text, which blank lines divide into blocks. A block whose lines all fit is left as it is. In other blocks,
  /// lines without an indent are joined to a paragraph, and each indented line is wrapped with a hanging indent.
  private static func paragraphs(_ text: String) -> String {
    text.split(separator: "\n\n").map { block in
      let lines = block.split(separator: "\n")
      guard lines.contains(where: { $0.count > width }) else { return String(block) }
      var items: [(indent: Int, text: String)] = []
      for line in lines {
        let indent = line.prefix { $0 == " " }.count
        if indent == 0, let last = items.last, last.indent == 0 {
          items[items.count - 1].text += " " + line
        } else {
          items.append((indent, String(line.dropFirst(indent))))
        }
      }
      return items.map { indent, text in
        let hanging = indent == 0 ? 0 : indent + 2
        let start = String(repeating: " ", count: indent)
        let lines = wrapped(text, width: width - hanging)
        return start + lines.joined(separator: "\n" + String(repeating: " ", count: hanging))
      }.joined(separator: "\n")
    }.joined(separator: "\n\n")
  }

  /// Formats rows as two columns of text. The second column is wrapped, so that a line has at most `total` characters:
  /// by default 98, for the results of commands.
  static func rows(_ rows: [(String, String)], width total: Int = 98) -> String {
    let width = min(28, (rows.map(\.0.count).max() ?? 0) + 2)
    return rows.map { label, help in
      let lines = wrapped(help, width: total - 2 - width)
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
