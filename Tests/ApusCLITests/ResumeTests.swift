import ApusTestSupport
import Foundation
import Testing

/// Runs that are stopped, cleanly or not, and resumed.
struct ResumeTests {
  private let images: TinyImages
  private let scratch: ScratchDirectory

  init() throws {
    images = try TinyImages()
    scratch = try ScratchDirectory()
  }

  private func words(_ name: String, steps: Int) -> [String] {
    [
      "train", "--layers", "dense 32, relu, dropout 0.2, dense 10", "--steps", "\(steps)", "--batch-size", "32",
      "--data", images.source, "--device", "cpu", "--json", "--output", scratch.file(name),
    ]
  }

  private func digest(_ invocation: Invocation) throws -> String? {
    #expect(invocation.status == 0, "\(invocation.errors)")
    return try invocation.member("weights_sha256")
  }

  @Test func resumedRunsEndWithTheSameBits() throws {
    let whole = try digest(Invocation(words("whole", steps: 20)))
    _ = try digest(Invocation(words("half", steps: 9)))
    let rest = try Invocation("train", "--resume", scratch.file("half"), "--steps", "20", "--json")
    #expect(try digest(rest) == whole && rest.member("steps") == 20)
    #expect(rest.errors.contains("\nresuming after step 9 of 20\n"), "\(rest.errors)")
    // Resuming a finished run changes nothing.
    let again = try Invocation("train", "--resume", scratch.file("half"), "--json")
    #expect(try digest(again) == whole)
    #expect(!again.errors.contains("resuming"), "\(again.errors)")
  }

  /// The last bits of results depend on the instruction set. A run that continues with another one says so.
  @Test func anotherInstructionSetIsReported() throws {
    _ = try digest(Invocation(words("run", steps: 9)))
    let path = ["train", "--resume", scratch.file("run"), "--steps"]
    let same = try Invocation(path + ["10"])
    #expect(!same.errors.contains("continues on"), "\(same.errors)")
    let other = try Invocation(path + ["11"], environment: ["APUS_SIMD": "baseline"])
    #expect(other.errors.contains(/trained on cpu \(.*avx.*\), and training continues on cpu \(.*baseline\):/))
  }

  /// If a run has already done more steps than the options allow, the message states the steps and names the options.
  /// It does not say that the run has another model.
  @Test(arguments: [["--steps", "5"], ["--epochs", "1"]])
  func runsDoNotBecomeShorter(length: [String]) throws {
    _ = try digest(Invocation(words("run", steps: 7)))
    let run = try Invocation(["train", "--resume", scratch.file("run")] + length)
    #expect(run.status == 65 && run.output.isEmpty && !run.errors.contains("another model"), "\(run.errors)")
    // An epoch has 3 steps.
    let end = length[0] == "--steps" ? 5 : 3
    let message = "the run has already done 7 steps, so it cannot end after \(end); choose more steps or epochs"
    #expect(run.errors.contains("\(message) (--steps, --epochs)"), "\(run.errors)")
  }

  /// A run is killed several times, also before its first checkpoint. After the last resumption it ends with the same
  /// bits as a run that is not killed.
  @Test func killedRunsAreResumed() throws {
    let whole = try digest(Invocation(words("whole", steps: 1500)))
    let killed = words("killed", steps: 1500) + ["--save-every", "0.02"]
    for attempt in 0..<6 {
      let isStarted = FileManager.default.fileExists(atPath: scratch.file("killed/config.json"))
      let resume = isStarted ? ["--resume", scratch.file("killed")] : []
      _ = try Invocation.stop(killed + resume, SIGKILL, after: 0.02 + 0.045 * Double(attempt))
    }
    #expect(try digest(Invocation(killed + ["--resume", scratch.file("killed")])) == whole)
  }

  /// A run that gets SIGINT, SIGTERM or SIGHUP saves a checkpoint and ends. It can be resumed.
  @Test(arguments: [(SIGINT, 130), (SIGTERM, 143), (SIGHUP, 129)] as [(Int32, Int32)])
  func signalsSave(signal: Int32, status: Int32) throws {
    let run = words("run", steps: 100_000)
    let first = scratch.file("run/checkpoints/step-000000000")
    #expect(try Invocation.stop(run, signal, after: 0.2, file: first) == status)
    let saved = try FileManager.default.contentsOfDirectory(atPath: scratch.file("run/checkpoints")).sorted()
    let steps = try #require(saved.last.flatMap { Int($0.dropFirst(5)) })
    #expect(steps > 0)
    let rest = try Invocation("train", "--resume", scratch.file("run"), "--steps", "\(steps + 3)", "--json")
    #expect(try digest(rest) == digest(Invocation(words("whole", steps: steps + 3))))
  }

  /// Files that no run has written are not overwritten. If a run left its configuration but no checkpoint, the same
  /// command starts the run again.
  @Test(arguments: ["config.json", "metrics.jsonl"]) func otherFilesAreNotOverwritten(name: String) throws {
    try FileManager.default.createDirectory(atPath: scratch.file("own"), withIntermediateDirectories: true)
    let file = try scratch.write(Array("{\"mine\": 1}\n".utf8), to: "own/\(name)")
    let run = try Invocation(words("own", steps: 1))
    #expect(run.status == 64 && run.errors.contains("a file \(name) that does not come from a run"), "\(run.errors)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.file("own")) == [name])
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "{\"mine\": 1}\n")

    #expect(try Invocation(words("run", steps: 1)).status == 0)
    try FileManager.default.removeItem(atPath: scratch.file("run/checkpoints"))
    #expect(try Invocation(words("run", steps: 1)).status == 0)
  }

  @Test func aRunIsNotOverwritten() throws {
    let first = try digest(Invocation(words("run", steps: 3)))
    let second = try Invocation(words("run", steps: 5))
    #expect(
      second.status == 64
        && second.errors.contains("the folder already has a run; resume it or use another folder (--resume"))
    let kept = try Invocation("evaluate", scratch.file("run"), "--json")
    #expect(try digest(kept) == first)
  }

  @Test func resumingWithOtherSettingsIsRefused() throws {
    _ = try digest(Invocation(words("run", steps: 3)))
    for (option, value, reason) in [
      ("--batch-size", "16", "its batch_size is 32, not 16"), ("--seed", "5", "its seed is 0, not 5"),
      ("--layers", "dense 10", "not \"dense 10\""), ("--clip-norm", "1", "its clip_norm is unset, not 1.0"),
    ] {
      let run = try Invocation("train", "--resume", scratch.file("run"), "--steps", "6", option, value)
      #expect(run.status == 65 && run.errors.contains(reason), "\(run.errors)")
    }
  }

  /// Every command gives the same message for a path at which there is no run.
  @Test func missingRuns() throws {
    let commands = [
      ["train", "--resume"], ["train", "mlp", "--data", images.source, "--weights"], ["evaluate"], ["errors"],
      ["generate"], ["plot"], ["summary"], ["predict"],
    ]
    func check(_ path: String, _ reason: String, _ commands: [[String]]) throws {
      for command in commands {
        let words = command + [path] + (command == ["predict"] ? [images.testImages] : [])
        let run = try Invocation(words, in: scratch.path)
        #expect(run.status == 74 && run.output.isEmpty, "\(words): \(run.errors)")
        #expect(run.errors.contains("\(path): cannot read a run: \(reason)\n"), "\(words): \(run.errors)")
      }
    }
    // --weights may also name a file.
    try check(scratch.file("nowhere"), "it does not exist", commands.filter { !$0.contains("--weights") })
    let folder = scratch.file("folder")
    try FileManager.default.createDirectory(atPath: "\(folder)/empty", withIntermediateDirectories: true)
    let reason = "it is not the folder of a run"
    try check(folder, "\(reason): it has no config.json and no checkpoints", commands)
    for name in ["a", "b"] { _ = try digest(Invocation(words("folder/\(name)", steps: 1))) }
    try check(folder, "\(reason), but contains runs: try \(folder)/b", commands)
    try check("folder/", "\(reason), but contains runs: try folder/b", commands)
    try FileManager.default.removeItem(atPath: "\(folder)/b/checkpoints")
    try check(folder, "\(reason), but contains runs: try \(folder)/a", commands)
    let stopped = try Invocation("evaluate", "\(folder)/b")
    #expect(stopped.status == 74 && stopped.errors.contains("cannot read a checkpoint: the run has none yet"))
  }

  /// A run whose newest checkpoint is damaged resumes from the previous checkpoint, and a message reports the damage.
  @Test func damagedCheckpoints() throws {
    let whole = try digest(Invocation(words("whole", steps: 8)))
    _ = try digest(Invocation(words("run", steps: 3)))
    _ = try digest(Invocation("train", "--resume", scratch.file("run"), "--steps", "5", "--json"))
    let names = try FileManager.default.contentsOfDirectory(atPath: scratch.file("run/checkpoints")).sorted()
    #expect(names == ["step-000000003", "step-000000005"])
    try flip(scratch.file("run/checkpoints/step-000000005/weights.safetensors"))

    let rest = try Invocation("train", "--resume", scratch.file("run"), "--steps", "8", "--json")
    #expect(try digest(rest) == whole)
    #expect(rest.errors.contains("its SHA-256 digest does not match"), "\(rest.errors)")

    for name in try FileManager.default.contentsOfDirectory(atPath: scratch.file("run/checkpoints")) {
      try flip(scratch.file("run/checkpoints/\(name)/optimizer.safetensors"))
    }
    for command in [["train", "--resume"], ["evaluate"], ["summary"]] {
      let run = try Invocation(command + [scratch.file("run")])
      #expect(run.status == 65 && run.errors.contains("damaged"), "\(run.errors)")
    }
  }

  /// Inverts a bit in the last byte of a file.
  private func flip(_ path: String) throws {
    var data = try Data(contentsOf: URL(filePath: path))
    data[data.count - 1] ^= 0x10
    try data.write(to: URL(filePath: path))
  }
}
