import ApusRuns

enum CompletionsCommand: Command {
  static let name = "completions"
  static let summary = "print a script that completes apus commands in a shell"
  static let shell = Argument(.choice("SHELL", of: ["bash", "zsh", "fish"]), help: "bash, zsh or fish")
  static let declarations = [shell.declaration]
  static let discussion = """
    bash:  mkdir -p ~/.local/share/bash-completion/completions
           apus completions bash > ~/.local/share/bash-completion/completions/apus
    zsh:   mkdir -p ~/.zfunc                                (with ~/.zfunc in fpath)
           apus completions zsh > ~/.zfunc/_apus
    fish:  mkdir -p ~/.config/fish/completions
           apus completions fish > ~/.config/fish/completions/apus.fish
    """

  static func run(_ arguments: Arguments) throws {
    let script =
      switch arguments[shell] {
      case "bash": Completions.bash(ApusCommand.commands)
      case "zsh": Completions.zsh(ApusCommand.commands)
      default: Completions.fish(ApusCommand.commands)
      }
    try StandardOutput.write(line: script)
  }
}
