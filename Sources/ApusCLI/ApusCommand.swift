import Apus
import ApusRuns
import ApusSystem
import Glibc

/// The entry point of the executable. The first argument names one of `commands`.
@main
enum ApusCommand {
  static let version = "0.1.0"

  static let commands: [any Command.Type] = [
    TrainCommand.self, EvaluateCommand.self, ErrorsCommand.self, PredictCommand.self, GenerateCommand.self,
    SummaryCommand.self, VerifyCommand.self, DevicesCommand.self, ModelsCommand.self, DatasetsCommand.self,
    BenchCommand.self, TuneCommand.self, PlotCommand.self, LearningCurveCommand.self, CompletionsCommand.self,
  ]

  static func main() {
    StandardStreams.openMissing()
    // If SIGXFSZ is ignored, a write beyond the file size limit of the process fails instead of ending the process.
    signal(SIGXFSZ, SIG_IGN)
    do {
      try run(Array(CommandLine.arguments.dropFirst()))
      ComputeDevice.storePrograms()
    } catch {
      Diagnostics.write(message(of: error))
      ComputeDevice.storePrograms()
      exit(ExitCode(for: error).rawValue)
    }
  }

  /// The message of an error, with the options that may resolve it. For an invalid command line, the message also names
  /// the command and tells how to show its help.
  private static func message(of error: any Error) -> String {
    let text = String(describing: error) + (hint(for: error).map { " (\($0))" } ?? "")
    // If a child process refused its command line, it has already printed the lines that are added below.
    guard ExitCode(for: error) == .usage, !(error is ChildFailure) else { return text }
    let known = CommandLine.arguments.dropFirst().first.flatMap { word in commands.first { $0.name == word } }
    let name = ["apus", known?.name].compactMap(\.self).joined(separator: " ")
    return "\(name): \(text)\nsee: \(name) --help"
  }

  private static func run(_ words: [String]) throws {
    guard let first = words.first else {
      throw OptionError("a command is missing" + listing)
    }
    switch first {
    case "--help", "-h":
      try StandardOutput.write(line: Help.overview(commands))
    case "--version":
      try StandardOutput.write(line: "apus \(version)")
    case "help":
      guard words.count > 1 else { return try StandardOutput.write(line: Help.overview(commands)) }
      if words.count == 2, words[1] == "--man" { return try StandardOutput.write(line: ManualPage.text(commands)) }
      let command = try find(words[1])
      guard words.count == 2 else {
        throw OptionError("help takes one command; the page of \(command.name) describes all its options")
      }
      try StandardOutput.write(line: Help.page(command))
    default:
      let command = try find(first)
      let rest = Array(words.dropFirst())
      let options = rest.prefix { $0 != "--" }
      if options.contains("--help") || options.contains("-h") {
        return try StandardOutput.write(line: Help.page(command))
      }
      ReadingProgress.report = ReadingReport().note
      try command.run(Arguments(parsing: rest, for: command))
    }
  }

  private static func find(_ name: String) throws(OptionError) -> any Command.Type {
    if let command = commands.first(where: { $0.name == name }) { return command }
    guard !name.hasPrefix("-") else {
      let match = nearestMatch(to: name, in: ["--help", "--version"])
      throw OptionError("unknown option \(name)" + (match.map { "; did you mean \($0)?" } ?? ""))
    }
    throw OptionError("unknown command \(name.quoted())" + suggestion(for: name, in: commands.map { $0.name }))
  }

  private static var listing: String { "; choose from " + commands.map { $0.name }.joined(separator: ", ") }
}
