import ApusTestSupport
import Foundation
import Testing

/// The commands of the README, word for word and in their order, in an empty directory.
@Suite struct ReadmeCommandTests {
  private var commands: [String] {
    get throws {
      let readme = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "README.md")
      let blocks = try String(contentsOf: readme, encoding: .utf8).components(separatedBy: "```sh\n").dropFirst()
        .map { $0.components(separatedBy: "```")[0].split(separator: "\n") }
      return blocks.joined().filter { $0.hasPrefix("apus ") }
        .map { $0.components(separatedBy: "  #")[0].trimmingCharacters(in: .whitespaces) }
    }
  }

  @Test func everyCommandRuns() throws {
    let commands = try commands
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
      shell.standardError = FileHandle.nullDevice
      try shell.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      shell.waitUntilExit()
      #expect(shell.terminationReason == .exit && shell.terminationStatus == 0, "\(command)")
      #expect(!text.isEmpty, "\(command)")
    }
  }
}
