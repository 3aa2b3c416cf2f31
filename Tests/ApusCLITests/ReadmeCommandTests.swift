import ApusTestSupport
import Foundation
import Testing

/// The commands of the README, word for word and in their order, in an empty directory.
@Suite struct ReadmeCommandTests {
  private func readme() throws -> String {
    let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "README.md")
    return try String(contentsOf: path, encoding: .utf8)
  }

  /// The lines that begin with `apus` in blocks of some kind, without what a comment says of them.
  private func commands(in kind: String) throws -> [String] {
    // Every second piece is a block, whose first line is its kind.
    let blocks = try readme().components(separatedBy: "```").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
    return blocks.filter { $0.hasPrefix("\(kind)\n") }.flatMap {
      $0.split(separator: "\n").dropFirst(kind.isEmpty ? 0 : 1)
    }
    .filter { $0.hasPrefix("apus ") }
    .map { $0.components(separatedBy: "  #")[0].trimmingCharacters(in: .whitespaces) }
  }

  /// Commands on files that the reader has: there is such a command, and it has such options.
  @Test func optionsOfExamplesExist() throws {
    let commands = try commands(in: "")
    #expect(commands.count >= 6)
    for command in commands {
      let words = command.split(separator: " ")
      let help = try Invocation("help", String(words[1]))
      #expect(help.status == 0, "\(command)")
      for word in words where word.hasPrefix("--") {
        #expect(help.output.contains("  \(word) ") || help.output.contains("  \(word)\n"), "\(command): \(word)")
      }
    }
  }

  @Test func everyCommandRuns() throws {
    let commands = try commands(in: "sh")
    #expect(commands.count >= 8)
    let place = try ScratchDirectory()
    for command in commands {
      let shell = Process()
      shell.executableURL = URL(filePath: "/bin/sh")
      shell.arguments = ["-euc", command]
      shell.currentDirectoryURL = URL(filePath: place.path)
      var environment = ProcessInfo.processInfo.environment
      environment["PATH"] = Invocation.executable.deletingLastPathComponent().path + ":" + (environment["PATH"] ?? "")
      // Without a cache of kernels, as `Invocation`.
      for name in ["XDG_CACHE_HOME", "HOME"] { environment[name] = "" }
      shell.environment = environment
      shell.standardInput = FileHandle.nullDevice
      let output = Pipe()
      shell.standardOutput = output
      let errors = try place.write([], to: "errors.txt")
      shell.standardError = try FileHandle(forWritingTo: URL(filePath: errors))
      try shell.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      shell.waitUntilExit()
      let complaint = try String(contentsOfFile: errors, encoding: .utf8)
      #expect(shell.terminationReason == .exit && shell.terminationStatus == 0, "\(command): \(complaint)")
      #expect(!text.isEmpty, "\(command)")
    }
  }
}
