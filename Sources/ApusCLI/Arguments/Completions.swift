import ApusRuns

/// Scripts for shell completion, generated from the options and arguments that the commands declare.
enum Completions {
  static func bash(_ commands: [any Command.Type]) -> String {
    var cases: [String] = []
    for command in commands {
      let options = command.declarations.filter { !$0.isArgument }
      var values: [String] = []
      for option in options where option.role == .option {
        values.append("        --\(option.name)) \(bashWords(option.completion)); return ;;")
      }
      let names = (options.map { "--\($0.name)" } + ["--help"]).joined(separator: " ")
      let argument = command.declarations.first(where: \.isArgument)
      cases.append(
        """
            \(command.name))
              case "$previous" in
        \(values.joined(separator: "\n"))
              esac
              case "$current" in
                -*) COMPREPLY=($(compgen -W '\(names)' -- "$current")) ;;
                *) \(bashWords(argument?.completion ?? .none)) ;;
              esac ;;
        """)
    }
    return """
      _apus() {
        local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"
        COMPREPLY=()
        if [ "$COMP_CWORD" -eq 1 ]; then
          COMPREPLY=($(compgen -W '\(names(commands)) help --help --version' -- "$current"))
          return
        fi
        case "${COMP_WORDS[1]}" in
          help) COMPREPLY=($(compgen -W '\(names(commands))' -- "$current")) ;;
      \(cases.joined(separator: "\n"))
        esac
      }
      complete -o bashdefault -F _apus apus
      """
  }

  private static func bashWords(_ completion: Completion) -> String {
    switch completion {
    case .none: ":"
    case .files: "COMPREPLY=($(compgen -f -- \"$current\"))"
    case .folders: "COMPREPLY=($(compgen -d -- \"$current\"))"
    case .words(let words):
      "COMPREPLY=($(compgen -W '\(words.joined(separator: " "))' -- \"$current\"))"
    }
  }

  static func zsh(_ commands: [any Command.Type]) -> String {
    let list = commands.map { "    '\($0.name):\(quoted($0.summary))'" }
    let cases = commands.map { command in
      var specs: [String] = []
      for (position, argument) in command.declarations.filter(\.isArgument).enumerated() {
        let number = argument.repeats ? "*" : "\(position + 1)"
        specs.append("'\(number):\(argument.placeholder):\(zshAction(argument.completion))'")
      }
      for option in command.declarations where !option.isArgument {
        let value = option.role == .flag ? "" : ":\(option.placeholder):\(zshAction(option.completion))"
        specs.append("'\(option.repeats ? "*" : "")--\(option.name)[\(zshText(option.help))]\(value)'")
      }
      specs.append("'--help[show the help of the command]'")
      return "    \(command.name)) _arguments \\\n      " + specs.joined(separator: " \\\n      ") + " ;;"
    }
    return """
      #compdef apus
      _apus() {
        local -a commands=(
      \(list.joined(separator: "\n"))
        )
        if (( CURRENT == 2 )); then
          _describe command commands
          return
        fi
        local command=$words[2]
        shift words
        (( CURRENT-- ))
        case $command in
          help) _describe command commands ;;
      \(cases.joined(separator: "\n"))
        esac
      }
      _apus "$@"
      """
  }

  private static func zshAction(_ completion: Completion) -> String {
    switch completion {
    case .none: ""
    case .files: "_files"
    case .folders: "_files -/"
    case .words(let words): "(\(words.joined(separator: " ").replacing(":", with: "\\:")))"
    }
  }

  private static func zshText(_ text: String) -> String {
    quoted(text.replacing("[", with: "\\[").replacing("]", with: "\\]").replacing(":", with: "\\:"))
  }

  static func fish(_ commands: [any Command.Type]) -> String {
    let start = "complete -c apus"
    var lines = ["\(start) -f", "\(start) -n __fish_use_subcommand -l help -d 'show the overview'"]
    lines.append("\(start) -n __fish_use_subcommand -l version -d 'print the version'")
    for command in commands {
      lines.append("\(start) -n __fish_use_subcommand -a \(command.name) -d '\(quoted(command.summary))'")
      let inside = "\(start) -n '__fish_seen_subcommand_from \(command.name)'"
      for declaration in command.declarations {
        let values = fishValues(declaration.completion)
        if declaration.isArgument {
          if !values.isEmpty { lines.append("\(inside) \(values)") }
        } else {
          let value = declaration.role == .flag ? "" : " -x \(values)"
          lines.append("\(inside) -l \(declaration.name)\(value) -d '\(quoted(declaration.help))'")
        }
      }
    }
    return lines.joined(separator: "\n")
  }

  private static func fishValues(_ completion: Completion) -> String {
    switch completion {
    case .none: ""
    case .files: "-a '(__fish_complete_path)'"
    case .folders: "-a '(__fish_complete_directories)'"
    case .words(let words): "-a '\(words.joined(separator: " "))'"
    }
  }

  private static func names(_ commands: [any Command.Type]) -> String {
    commands.map { $0.name }.joined(separator: " ")
  }

  /// Returns a text for use between single quotes in Bash, zsh and fish. Each quote in the text becomes `'\''`: the end
  /// of the quoted text, an escaped quote, and the start of the next quoted text.
  private static func quoted(_ text: String) -> String { text.replacing("'", with: "'\\''") }
}
