import Apus
import ApusRuns
import ApusTestSupport
import Foundation
import Testing

@testable import ApusCLI

/// If an attacker has prepared a run folder, no command traps, hangs, or changes anything outside of the folder.
struct HostileFolderTests {
  private let scratch: ScratchDirectory
  private let run: String
  private let folders: [HostileFolder]

  init() throws {
    scratch = try ScratchDirectory()
    let rows = (0..<24).map { "\($0 % 5),\($0 % 3 == 0 ? "red" : "blue"),\($0 % 2 == 0 ? "even" : "odd")" }
    let table = try scratch.write(Array(("x,color,kind\n" + rows.joined(separator: "\n")).utf8), to: "table.csv")
    run = scratch.file("whole")
    let trained = try Invocation(
      "train", "--layers", "dense 3, relu, dense 2", "--data", "csv:\(table)", "--steps", "5", "--batch-size", "8",
      "--schedule", "plateau", "--device", "cpu", "--output", run)
    let drawn = try Invocation("plot", run, "--curves-only")
    try #require(trained.status == 0 && drawn.status == 0, "\(trained.errors)\(drawn.errors)")
    // Only the last checkpoint remains, so resuming fails if it is damaged. With two checkpoints, the run would resume
    // from the other one.
    try FileManager.default.removeItem(atPath: "\(run)/checkpoints/step-000000000")
    folders = try HostileFolder.all(of: run)
  }

  /// Runs `body` on each folder and checks that nothing outside the folder changed.
  private func forEach(
    _ folders: [HostileFolder], _ body: (HostileFolder, _ path: String) throws -> Void
  ) throws {
    for (number, folder) in folders.enumerated() {
      let outside = scratch.file("outside-\(number)")
      let victims = try Victims(in: outside)
      let path = scratch.file("run-\(number)")
      try folder.make(of: run, at: path, victims: victims)
      let before = try victims.snapshot()
      try body(folder, path)
      #expect(try victims.snapshot() == before, "\(folder)")
      for path in [path, outside] { try FileManager.default.removeItem(atPath: path) }
    }
  }

  private func use(_ path: String, for use: HostileFolder.Use) throws {
    switch use {
    case .plotting:
      let record = try RunRecord(path: path)
      let page = try PlotCommand.page(of: record, output: nil)
      _ = try PlotCommand.write(RunReport(record).make(), of: record, to: page) { _, _ in }
    case .evaluating: _ = try Run(at: path).model()
    case .resuming:
      let words = ["--resume", path, "--steps", "7", "--device", "cpu"]
      var run = try TrainCommand.prepared(Arguments(parsing: words, for: TrainCommand.self))
      _ = try run.run(on: .named("cpu")) { _ in }
    }
  }

  @Test(.timeLimit(.minutes(30))) func eachIsRefusedOrHarmless() throws {
    #expect(folders.count >= 500)
    #expect(Set(folders.map(\.description)).count == folders.count)
    let device = try ComputeDevice.named("cpu")
    try forEach(folders) { folder, path in
      for use in [HostileFolder.Use.plotting, .evaluating, .resuming] {
        do {
          try withDevice(device) { try self.use(path, for: use) }
          #expect(!folder.refusals.contains(use), "\(folder): \(use) is not refused")
        } catch TrainingError.diverged {
          // The learning rate in the folder may be a valid number at which every run diverges.
          #expect(!folder.refusals.contains(use), "\(folder): \(use) is not refused")
        } catch {
          let code = ExitCode(for: error)
          #expect(code == .data || code == .inputOutput, "\(folder): \(use) ends with \(code): \(error)")
        }
      }
    }
  }

  /// The executable also refuses each folder or does no harm. It gets every 30th folder, or every n-th if
  /// `APUS_HOSTILE_STEP` is n.
  @Test(.timeLimit(.minutes(30))) func theCommandRefusesThem() throws {
    let step = Int(ProcessInfo.processInfo.environment["APUS_HOSTILE_STEP"] ?? "") ?? 30
    try forEach(stride(from: 0, to: folders.count, by: step).map { folders[$0] }) { folder, path in
      let commands: [(HostileFolder.Use, [String])] = [
        (.plotting, ["plot", path, "--curves-only"]), (.evaluating, ["evaluate", path, "--device", "cpu"]),
        (.resuming, ["train", "--resume", path, "--steps", "7", "--device", "cpu"]),
      ]
      for (use, words) in commands {
        let run = try Invocation(words)
        let isRefused = folder.refusals.contains(use)
        let isDiverged = run.status == 1 && run.errors.contains("the loss is nan")
        #expect(
          [65, 74].contains(run.status) || !isRefused && (run.status == 0 || isDiverged),
          "\(folder): \(use): \(run.errors)")
      }
    }
  }
}
