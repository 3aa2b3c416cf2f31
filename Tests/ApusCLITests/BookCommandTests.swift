import ApusTestSupport
import Foundation
import Testing

/// The commands of README.md and of the files of `Documentation`, word for word. The tests run the commands in `sh`
/// blocks: all commands of a file, in order, in an empty folder.
@Suite struct BookCommandTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The paths of the files.
  static let files: [String] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: "Documentation").path)) ?? []
    return ["README.md"] + names.filter { $0.hasSuffix(".md") }.sorted().map { "Documentation/\($0)" }
  }()

  private static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  /// The lines that begin with `apus` in code blocks of one kind, without trailing comments.
  private static func commands(_ path: String, in kind: String) throws -> [String] {
    // Every second fragment is a code block, whose first line is its kind.
    let fragments = try text(path).components(separatedBy: "```").enumerated()
    let blocks = fragments.filter { $0.offset % 2 == 1 }.map(\.element)
    return blocks.filter { $0.hasPrefix("\(kind)\n") }.flatMap {
      $0.split(separator: "\n").dropFirst(kind.isEmpty ? 0 : 1)
    }
    .filter { $0.hasPrefix("apus ") }
    .map { $0.components(separatedBy: "  #")[0].trimmingCharacters(in: .whitespaces) }
  }

  /// The code spans that begin with `apus`, in rows of tables.
  private static func tableCommands(_ path: String) throws -> [String] {
    try text(path).split(separator: "\n").filter { $0.hasPrefix("|") }.flatMap { row in
      row.components(separatedBy: "`").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
    }
    .filter { $0.hasPrefix("apus ") }
  }

  @Test func theDocumentationHasCommands() throws {
    var (runCount, checkedCount, tableCount) = (0, 0, 0)
    for path in Self.files {
      runCount += try Self.commands(path, in: "sh").count
      checkedCount += try Self.commands(path, in: "").count
      tableCount += try Self.tableCommands(path).count
    }
    #expect(Self.files.count > 8 && runCount >= 15 && checkedCount >= 10 && tableCount >= 15)
  }

  /// Commands that use the reader's own files, and commands in tables, are not run. The test checks only that the
  /// command and its options exist.
  @Test(arguments: files) func optionsOfExamplesExist(path: String) throws {
    for command in try Self.commands(path, in: "") + Self.tableCommands(path) {
      let words = command.split(separator: " ")
      let help = try Invocation("help", String(words[1]))
      #expect(help.status == 0, "\(path): \(command)")
      for word in words where word.hasPrefix("--") {
        #expect(
          help.output.contains("  \(word) ") || help.output.contains("  \(word)\n"), "\(path): \(command): \(word)")
      }
    }
  }

  @Test(.serialized, arguments: files) func everyCommandRuns(path: String) throws {
    let scratch = try ScratchDirectory()
    for command in try Self.commands(path, in: "sh") {
      let shell = Process()
      shell.executableURL = URL(filePath: "/bin/sh")
      shell.arguments = ["-euc", command]
      shell.currentDirectoryURL = URL(filePath: scratch.path)
      var environment = ProcessInfo.processInfo.environment
      environment["PATH"] = Invocation.executable.deletingLastPathComponent().path + ":" + (environment["PATH"] ?? "")
      // Runs without a kernel cache, as `Invocation` does.
      for name in ["XDG_CACHE_HOME", "HOME"] { environment[name] = "" }
      shell.environment = environment
      shell.standardInput = FileHandle.nullDevice
      let output = Pipe()
      shell.standardOutput = output
      let errors = try scratch.write([], to: "errors.txt")
      shell.standardError = try FileHandle(forWritingTo: URL(filePath: errors))
      try shell.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      shell.waitUntilExit()
      let complaint = try String(contentsOfFile: errors, encoding: .utf8)
      #expect(
        shell.terminationReason == .exit && shell.terminationStatus == 0, "\(path): \(command): \(complaint)")
      #expect(!text.isEmpty, "\(path): \(command)")
    }
  }
}
