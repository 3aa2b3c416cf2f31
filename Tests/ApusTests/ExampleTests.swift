import Apus
import ApusRuns
import ApusTestSupport
import Foundation
import Testing

/// The programs in Examples: they learn, and are less than one and a half times as long as their PyTorch versions in
/// Examples/PyTorch. `ContinueRun` has no PyTorch version, and a limit of its own.
@Suite struct ExampleTests {
  /// A program, its argument, and the word in its output that precedes each value of the loss. The loss has to fall;
  /// the word is `nil` for programs whose loss need not fall.
  struct Program: CustomTestStringConvertible, Sendable {
    let name: String
    let amount: Int
    var loss: String? = "loss"
    var testDescription: String { name }
  }

  static let programs = [
    Program(name: "DCGAN", amount: 60, loss: nil), Program(name: "DQN", amount: 1500, loss: nil),
    Program(name: "Seq2Seq", amount: 240), Program(name: "MAML", amount: 500), Program(name: "GCN", amount: 60),
    Program(name: "SkipGram", amount: 160), Program(name: "FineTuning", amount: 60),
    Program(name: "Accumulation", amount: 12), Program(name: "HalfInference", amount: 100),
  ]

  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  @Test(arguments: programs) func isNotMuchLongerThanInPyTorch(_ program: Program) throws {
    let own = try Self.lines("Examples/\(program.name)/main.swift", comment: "//")
    let peer = try Self.lines("Examples/PyTorch/\(program.name).py", comment: "#")
    #expect(own > 10 && Double(own) < 1.5 * Double(peer), "\(own) lines, \(peer) in PyTorch")
  }

  /// `Package.swift` and `Examples/Package.swift` list every folder with a program. `programs` lists every program
  /// except `ContinueRun`, which has a test of its own.
  @Test func allListsAgree() throws {
    let names = Set(Self.programs.map(\.name))
    let examples = Self.root.appending(path: "Examples")
    let folders = try FileManager.default.contentsOfDirectory(atPath: examples.path).filter {
      FileManager.default.fileExists(atPath: examples.appending(path: "\($0)/main.swift").path)
    }
    #expect(Set(folders) == names.union(["ContinueRun"]))
    for manifest in ["Package.swift", "Examples/Package.swift"] {
      let text = try String(contentsOf: Self.root.appending(path: manifest), encoding: .utf8)
      let listed = try #require(text.firstMatch(of: /"DCGAN"(?:, "[A-Za-z0-9]+")+/)).output
      #expect(Set(listed.split(separator: ", ").map { $0.filter { $0 != "\"" } }) == Set(folders), "\(manifest)")
    }
  }

  /// The number of lines with code.
  private static func lines(_ path: String, comment: String) throws -> Int {
    let text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
    return text.split(separator: "\n").count {
      let line = $0.trimmingCharacters(in: .whitespaces)
      return !line.isEmpty && !line.hasPrefix(comment)
    }
  }

  @Test(arguments: programs) func learns(_ program: Program) throws {
    let output = try Self.output(program)
    if let word = program.loss {
      let losses = Self.numbers(after: word, in: output)
      let edge = max(1, losses.count / 4)
      try #require(losses.count >= 4, "\(output)")
      let (first, last): (Double, Double) = (losses.prefix(edge).reduce(0, +), losses.suffix(edge).reduce(0, +))
      #expect(last < 0.9 * first, "\(output)")
    }
    switch program.name {
    case "DCGAN":
      // Both networks change: no loss repeats, and the fraction of bright pixels in generated images is near that of
      // the real images.
      let (of, by) = (Self.numbers(after: "discriminator", in: output), Self.numbers(after: "generator", in: output))
      try #require(of.count >= 4 && by.count >= 4, "\(output)")
      let moves = Set(of).count == of.count && Set(by).count == by.count
      let isFinite = (of + by).allSatisfy { $0.isFinite }
      #expect(moves && isFinite, "\(output)")
      let (share, truth) = (Self.numbers(after: "share", in: output), Self.numbers(after: "of", in: output))
      try #require(share.count == 1 && truth.count == 1, "\(output)")
      let difference: Double = abs(share[0] - truth[0])
      #expect(difference < 0.2, "\(output)")
    case "DQN":
      let rewards = Self.numbers(after: "reward", in: output)
      // The mean reward of random play is −0.6.
      try #require(rewards.count == 3, "\(output)")
      #expect(rewards[2] > 0.3 && rewards[2] > rewards[0], "\(output)")
    case "Seq2Seq", "GCN", "FineTuning", "Accumulation":
      let accuracy = Self.numbers(after: "accuracy", in: output).last ?? 0
      #expect(accuracy > 0.8, "\(output)")
    case "SkipGram":
      // A share of 0.2 would be chance: one word in five has the topic of a given word.
      let share = Self.numbers(after: "topic", in: output).last ?? 0
      #expect(share > 0.6, "\(output)")
    case "HalfInference":
      let accuracies = Self.numbers(after: "accuracy", in: output)
      let difference = Self.numbers(after: "difference", in: output)
      try #require(accuracies.count == 2 && difference.count == 1, "\(output)")
      #expect(accuracies[0] > 0.9 && accuracies[1] > 0.9 && difference[0] < 0.02, "\(output)")
    default: break
    }
  }

  /// `ContinueRun`, which has at most 30 lines, opens a run, evaluates it, predicts, and continues the training until
  /// the program's own observer stops it.
  @Test func runsContinueInOtherPrograms() throws {
    #expect(try Self.lines("Examples/ContinueRun/main.swift", comment: "//") <= 30)
    let scratch = try ScratchDirectory()
    let (folder, file) = (scratch.path + "/run", scratch.path + "/black.png")
    let image = Image(height: 28, width: 28, channels: 1, pixels: [UInt8](repeating: 0, count: 784))
    try Data(image.pngData()).write(to: URL(filePath: file))
    let options: JSONObject = ["data": "synthetic", "epochs": 1, "batch_size": 8, "device": "cpu", "optimizer": "sgd"]
    let (run, _) = try withDevice(.named("cpu")) { try Run.train(RunSettings("mlp", options), output: folder) }
    let (status, output) = try Self.run("ContinueRun", [folder, file], in: URL(filePath: scratch.path))
    #expect(status == 0, "\(output)")
    #expect(Self.numbers(after: "accuracy", in: output).count == 2, "\(output)")
    #expect(output.contains("prediction \(file) ") && output.contains("stopped the loss no longer falls"), "\(output)")
    let steps = try #require(Self.numbers(after: "steps", in: output).first)
    let before = run.progress.steps
    #expect(Int(steps) > before && Int(steps) < 2 * before, "\(output)")
    #expect(try Run(at: folder).progress.steps == Int(steps))
  }

  private static func numbers(after word: String, in output: String) -> [Double] {
    output.split(separator: "\n").flatMap { line in
      let words = line.split(separator: " ")
      return words.indices.dropLast().compactMap { words[$0] == word ? Double(words[$0 + 1]) : nil }
    }
  }

  private static func output(_ program: Program) throws -> String {
    let folder = try ScratchDirectory()
    let (status, output) = try withExtendedLifetime(folder) { try run(program, in: URL(filePath: $0.path)) }
    #expect(status == 0, "\(output)")
    return output
  }

  /// Runs a program in a folder; returns its exit status and its output.
  private static func run(
    _ program: Program, in folder: URL, environment: [String: String] = [:]
  ) throws -> (status: Int32, output: String) {
    try run(program.name, [String(program.amount)], in: folder, environment: environment)
  }

  private static func run(
    _ name: String, _ words: [String], in folder: URL, environment: [String: String] = [:]
  ) throws -> (status: Int32, output: String) {
    // The programs are next to the test executable.
    let programs = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    let process = Process()
    process.executableURL = programs.appending(path: name)
    process.arguments = words
    process.currentDirectoryURL = folder
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let pipe = Pipe()
    (process.standardOutput, process.standardError) = (pipe, pipe)
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationReason == .exit ? process.terminationStatus : -1, output)
  }

  /// An uncaught error is the last line of the output, without a stack trace or registers after it.
  @Test func uncaughtErrorsComeLast() throws {
    let folder = try ScratchDirectory()
    let file = URL(filePath: folder.path).appending(path: "stripes.safetensors")
    try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
    let failures: [(Program, [String: String], start: String)] = [
      (Program(name: "FineTuning", amount: 10), [:], "error: "),
      (Program(name: "MAML", amount: 1), ["APUS_DEVICE": "opencl:99"], "error: APUS_DEVICE: "),
    ]
    for (program, environment, start) in failures {
      let (status, output) = try withExtendedLifetime(folder) {
        try Self.run(program, in: URL(filePath: $0.path), environment: environment)
      }
      let last = output.split(separator: "\n").last ?? ""
      #expect(status == 1 && last.hasPrefix(start) && !output.contains("Registers"), "\(output)")
    }
  }
}
