import ApusTestSupport
import Foundation
import Testing

/// Training runs with closed standard streams, with output that nobody reads, on terminals that hang up, and in folders
/// that are removed.
struct StreamTests {
  private let images: TinyImages
  private let scratch: ScratchDirectory

  init() throws {
    images = try TinyImages()
    scratch = try ScratchDirectory()
  }

  private func words(steps: Int) -> [String] {
    [
      "train", "--layers", "dense 16, relu, dense 10", "--steps", "\(steps)", "--batch-size", "32", "--data",
      images.source, "--device", "cpu", "--output", scratch.file("run"), "--json",
    ]
  }

  /// Runs the command through a shell, which can close and redirect streams; `$0` is the command.
  private func shell(_ script: String, _ words: [String]) throws -> (status: Int32, errors: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", script, Invocation.executable.path] + words
    let errors = scratch.file("errors")
    try Data().write(to: URL(filePath: errors))
    process.standardOutput = FileHandle.nullDevice
    process.standardError = try FileHandle(forWritingTo: URL(filePath: errors))
    try process.run()
    process.waitUntilExit()
    return (process.terminationStatus, try String(contentsOfFile: errors, encoding: .utf8))
  }

  private var lastCheckpoint: String? {
    try? FileManager.default.contentsOfDirectory(atPath: scratch.file("run/checkpoints")).max()
  }

  /// If a standard stream is closed, no file that the command opens gets the descriptor of the stream.
  @Test(
    arguments: [("2>&-", 0), ("0<&-", 0), ("0<&- 2>&-", 0), ("1>&-", 74), ("0<&- 1>&- 2>&-", 74)] as [(String, Int32)])
  func closedStreams(_ closing: String, status: Int32) throws {
    let run = try shell("exec \"$0\" \"$@\" \(closing)", words(steps: 12))
    // Results that cannot be written make the command fail, but the run is saved.
    #expect(run.status == status && lastCheckpoint == "step-000000012", "\(run.errors)")
    let metrics = try String(contentsOfFile: scratch.file("run/metrics.jsonl"), encoding: .utf8)
    for line in metrics.split(separator: "\n") {
      #expect(try JSONSerialization.jsonObject(with: Data(line.utf8)) is [String: Any], "\(line)")
    }
    let config = try Data(contentsOf: URL(filePath: scratch.file("run/config.json")))
    #expect(try JSONSerialization.jsonObject(with: config) is [String: Any])
  }

  /// If the reader of the output ends early, the run is still finished and saved.
  @Test func aReaderThatLeavesDoesNotEndTheRun() throws {
    // The run prints more lines than fit into the buffer of a pipe.
    let run = try shell("{ \"$0\" \"$@\"; echo $? > \"\(scratch.file("status"))\"; } | head -n 1", words(steps: 3000))
    let status = try String(contentsOfFile: scratch.file("status"), encoding: .utf8)
    #expect(status == "74\n" && lastCheckpoint == "step-000003000", "\(status) \(run.errors)")
    #expect(run.errors.contains("the run is finished and saved in"), "\(run.errors)")
  }

  private func start(_ words: [String]) throws -> Process {
    let process = Process()
    process.executableURL = Invocation.executable
    process.arguments = words
    process.standardOutput = FileHandle.nullDevice
    process.standardError = try FileHandle(forWritingTo: URL(filePath: scratch.write([], to: "errors")))
    let before = Foundation.signal(SIGHUP, SIG_DFL)
    try process.run()
    _ = Foundation.signal(SIGHUP, before)
    while process.isRunning, lastCheckpoint?.hasPrefix("step-") != true { Thread.sleep(forTimeInterval: 0.01) }
    return process
  }

  private func end(_ process: Process) throws -> (status: Int32, errors: String) {
    // A process that does not end must not block the tests forever.
    let deadline = Date(timeIntervalSinceNow: 60)
    while process.isRunning, Date() < deadline { Thread.sleep(forTimeInterval: 0.01) }
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
    return (process.terminationStatus, try String(contentsOfFile: scratch.file("errors"), encoding: .utf8))
  }

  /// A run saves and stops at SIGHUP, also if the closing terminal and its shell both send the signal.
  @Test func hangingUpSaves() throws {
    let run = try start(words(steps: 1_000_000))
    for _ in 0..<3 { kill(run.processIdentifier, SIGHUP) }
    let (status, errors) = try end(run)
    #expect(status == 129 && errors.contains("stopped and saved"), "\(status) \(errors)")
    #expect(lastCheckpoint.map { $0 > "step-000000000" } == true)
  }

  @Test func onlyOneProcessResumesARun() throws {
    let run = try start(words(steps: 1_000_000))
    let name = "process \(run.processIdentifier) is writing to this run"
    for words in [["train", "--resume", scratch.file("run")], self.words(steps: 3)] {
      let second = try Invocation(words)
      #expect(second.status == 74 && second.errors.contains(name), "\(second.errors)")
    }
    // Commands that only read the run do not need its lock.
    for words in [
      ["evaluate", scratch.file("run"), "--device", "cpu"], ["plot", scratch.file("run"), "--curves-only"],
    ] {
      let reader = try Invocation(words)
      #expect(reader.status == 0, "\(reader.errors)")
    }
    kill(run.processIdentifier, SIGKILL)
    _ = try end(run)
    // The lock is released at the end of the process, even if a signal kills the process.
    let next = try Invocation(
      "train", "--resume", scratch.file("run"), "--set", "save_every=60", "--json", "--steps", "1")
    let isLocked = next.errors.contains("is writing to this run")
    #expect(!isLocked && (next.status == 0 || next.errors.contains("cannot end after 1;")), "\(next.errors)")
  }

  @Test func aFolderThatIsRemovedIsAnError() throws {
    let run = try start(words(steps: 1_000_000))
    while FileManager.default.fileExists(atPath: scratch.file("run")) {
      // A first attempt can fail while the run is writing a checkpoint.
      try? FileManager.default.removeItem(atPath: scratch.file("run"))
    }
    let (status, errors) = try end(run)
    #expect(status == 74 && errors.contains(scratch.file("run")), "\(status) \(errors)")
    #expect(!FileManager.default.fileExists(atPath: scratch.file("run")))
  }
}
