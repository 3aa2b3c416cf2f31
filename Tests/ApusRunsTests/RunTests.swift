import Apus
import ApusTestSupport
import Foundation
import Testing

@testable import ApusRuns

/// Requests the end of a run after a number of steps.
private final class Stopper: TrainingObserver {
  let last: Int

  init(after last: Int) { self.last = last }

  func didStep(_ progress: TrainingProgress) -> TrainingRequest {
    progress.step == last ? .stop(reason: "enough") : .continue
  }
}

@Suite struct RunTests {
  private let fixture: RunFixture

  init() throws { fixture = try RunFixture(steps: 6, trainCount: 2000) }

  /// A run can be trained, evaluated, resumed and copied from Swift.
  @Test func runsAreTrainedEvaluatedAndResumed() throws {
    let path = fixture.scratch.file("run")
    let (run, result) = try Run.train(fixture.settings(), output: path, observers: [Stopper(after: 4)])
    #expect(result.steps == 4 && result.stopped == "enough" && run.progress.steps == 4)
    #expect(run.classNames.count == 10 && run.settings.seed == 4 && run.path == path)
    let measured = try run.evaluate()
    #expect(measured.part == .test && measured.count > 0 && measured.loss.isFinite)
    let accuracy = try #require(measured.accuracy)
    #expect(try #require(measured.classification).accuracy == accuracy)
    #expect(measured.measures["test_accuracy"] == .number(accuracy))
    // The resumed run has the same bits as a run that was not interrupted.
    let (longer, _) = try run.resume()
    let (whole, _) = try Run.train(fixture.settings(), output: fixture.scratch.file("whole"))
    #expect(longer.progress.steps == 6)
    #expect(try longer.model().state.sha256() == whole.model().state.sha256())
    // A run that is resumed in another folder is copied; the first folder does not change.
    let (copy, _) = try longer.resume(["steps": 8], output: fixture.scratch.file("copy"))
    #expect(copy.progress.steps == 8)
    #expect(try Run(at: path).progress.steps == 6)
  }

  @Test func filesArePredicted() throws {
    let (run, _) = try Run.train(fixture.settings(), output: fixture.scratch.file("run"))
    var files: [String] = []
    for shade in [0, 255] as [UInt8] {
      let image = Image(
        height: 28, width: 28, channels: 1, pixels: [UInt8](repeating: shade, count: 784))
      files.append(try fixture.scratch.write(image.pngData(), to: "\(shade).png"))
    }
    let found = try run.predict(files)
    #expect(found.map(\.file) == files && found.allSatisfy { $0.index == nil && $0.value == nil })
    #expect(found.allSatisfy { run.classNames.contains($0.name ?? "") && (0.1...1).contains($0.probability ?? 0) })
    #expect(throws: OptionError.self) { try run.predict(files, threshold: 0.5) }
    #expect(throws: DataError.self) { try run.predict([fixture.scratch.file("missing.png")]) }
  }

  @Test func tablesAndTextsAreKindsOfData() throws {
    let rows = (0..<80).map { "\($0 % 9),\(($0 * 7) % 5),\(Double($0 % 9) * 2 + 0.25)" }
    let table = try fixture.scratch.write(Array((["a,b,c"] + rows).joined(separator: "\n").utf8), to: "t.csv")
    let numbers = try RunSettings("mlp", ["data": .string("csv:\(table)"), "epochs": 2, "target": "c"])
    #expect(numbers.isTable && numbers.table.task.target == "c")
    let (run, _) = try Run.train(numbers, output: fixture.scratch.file("table"))
    #expect(try run.evaluate().numbers != nil && run.classNames.isEmpty)
    let values = try run.predict([table])
    #expect(values.count == 80 && values.allSatisfy { $0.value?.isFinite == true && $0.label == nil })
    #expect(values[3].line == 5 && values[3].index == 3)
    let text = try fixture.scratch.write(Array(String(repeating: "a house and a tree. ", count: 80).utf8), to: "t.txt")
    let words = try RunSettings(
      "char-lstm", ["data": .string("text:\(text)"), "steps": 2, "width": 16, "sequence_length": 12, "batch_size": 4])
    let (language, _) = try Run.train(words, output: fixture.scratch.file("text"))
    #expect(try #require(language.evaluate().perplexity) > 1)
    #expect(throws: OptionError.self) { try language.predict([text]) }
  }

  @Test func reportsAreMade() throws {
    let (run, _) = try Run.train(fixture.settings(["epochs": 1, "steps": .null]), output: fixture.scratch.file("run"))
    let report = try run.report()
    #expect(report.figures.contains { $0.name == "loss" } && report.figures.contains { $0.name == "confusion-matrix" })
    #expect(report.html().contains("mlp"))
  }

  /// A regression model has no accuracy. Early stopping by accuracy, or keeping the best checkpoint by accuracy, is an
  /// error that leaves no folder.
  @Test(
    arguments: [
      (["early_stop": "accuracy:patience=3"], "early stopping"),
      (["early_stop": "accuracy:target=0.9", "task": "regression"], "early stopping"),
      (["keep": "best=accuracy"], "the best checkpoint"),
    ] as [(JSONObject, String)])
  func regressionHasNoAccuracy(_ options: JSONObject, _ purpose: String) throws {
    let rows = (0..<40).map { "\($0 % 9),\(Double($0 % 9) * 2 + 0.25)" }
    let table = try fixture.scratch.write(Array((["a,b"] + rows).joined(separator: "\n").utf8), to: "t.csv")
    let path = fixture.scratch.file("run")
    let common: JSONObject = ["data": .string("csv:\(table)"), "epochs": 1, "target": "b"]
    var all = common
    for (key, value) in options { all[key] = value }
    let error = #expect(throws: TrainingError.self) { try Run.train(RunSettings("mlp", all), output: path) }
    #expect(error?.description.contains("\(purpose) needs the accuracy") == true, "\(error!)")
    #expect(!FileManager.default.fileExists(atPath: path))
    // An empty folder that exists stays empty.
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    #expect(throws: TrainingError.self) { try Run.train(RunSettings("mlp", all), output: path) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty)
    // Resuming in a new folder fails in the same way, and does not create this folder.
    let (run, _) = try Run.train(RunSettings("mlp", common), output: path)
    let change = options.filter { $0.key != "task" }.reduce(into: JSONObject()) { $0[$1.key] = $1.value }
    #expect(throws: TrainingError.self) { try run.resume(change, output: fixture.scratch.file("copy")) }
    #expect(!FileManager.default.fileExists(atPath: fixture.scratch.file("copy")))
  }

  @Test func missingRunsAreErrors() throws {
    #expect(throws: DataError.self) { try Run(at: fixture.scratch.file("none")) }
    let (run, _) = try Run.train(fixture.settings(["steps": 1]), output: fixture.scratch.file("run"))
    #expect(throws: OptionError.self) { try Run(at: run.checkpoint.path, checkpoint: .last) }
    #expect(throws: TrainingError.self) { try Run.train(fixture.settings(), output: run.path) }
    // A run cannot be resumed with another seed.
    #expect(throws: TrainingError.self) { try run.resume(["seed": 5]) }
    #expect(throws: OptionError.self) { try run.resume(["sede": 5]) }
  }
}
