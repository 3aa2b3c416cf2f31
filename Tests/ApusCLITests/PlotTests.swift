import ApusTestSupport
import Foundation
import Testing

struct PlotTests {
  private let images: TinyImages
  private let scratch: ScratchDirectory

  init() throws {
    images = try TinyImages()
    scratch = try ScratchDirectory()
  }

  private func train(_ words: [String]) throws -> String {
    let output = scratch.file("run")
    let run = try Invocation(["train"] + words + ["--data", images.source, "--device", "cpu", "--output", output])
    #expect(run.status == 0, "\(run.errors)")
    return output
  }

  private func names(_ run: String) throws -> Set<String> {
    Set(try FileManager.default.contentsOfDirectory(atPath: "\(run)/plots"))
  }

  @Test func drawsARun() throws {
    let run = try train(["lenet5", "--epochs", "2", "--batch-size", "32"])
    let plot = try Invocation("plot", run, "--device", "cpu", "--json")
    #expect(plot.status == 0 && plot.errors.isEmpty, "\(plot.errors)")
    let files = try names(run)
    let expected = [
      "loss", "accuracy", "learning-rate", "seconds", "settings", "layers", "graph", "confusion-matrix", "filters",
      "weights", "activations", "saliency", "feature-maps-0", "measures", "classes", "roc", "precision-recall",
      "calibration", "confidence",
    ]
    for name in expected { #expect(files.contains("\(name).svg"), "\(name) in \(files.sorted())") }
    #expect(try plot.member("plots") == files.count && plot.member("report") == "\(run)/report.html")
    #expect(plot.lines.count == files.count + 1)
    let page = try String(contentsOfFile: "\(run)/report.html", encoding: .utf8)
    for name in expected { #expect(page.contains("data-name=\"\(name)\""), "\(name)") }
    #expect(page.contains("61,706") && page.contains("2 of 2") && !page.contains("<script"))

    let other = scratch.file("other.html")
    let again = try Invocation("plot", run, "--curves-only", "--output", other)
    #expect(again.status == 0 && again.lines.last.map(String.init) == other)
    #expect(try !String(contentsOfFile: other, encoding: .utf8).contains("confusion"))
  }

  /// Before the first checkpoint, the report describes the model with the run's settings, not with default settings.
  @Test func modelsOfTheSettingsAreDrawn() throws {
    let settings = #"{"model":"resnet18","data":"synthetic","image_size":32,"channels":3,"classes":17}"#
    _ = try scratch.write(Array(settings.utf8), to: "config.json")
    let plot = try Invocation("plot", scratch.path, "--curves-only")
    #expect(plot.status == 0, "\(plot.errors)")
    let summary = try Invocation("summary", "resnet18", "--image-size", "32", "--channels", "3", "--classes", "17")
    let count = try #require(summary.output.firstMatch(of: /([0-9,]+) parameters/)?.output.1)
    let page = try String(contentsOfFile: scratch.file("report.html"), encoding: .utf8)
    #expect(page.contains("\(count) parameters"), "\(count)")
    // The number of classes of a folder is unknown until the folder is read.
    _ = try scratch.write(Array(#"{"model":"resnet18","data":"image-folder:/nowhere"}"#.utf8), to: "config.json")
    #expect(try Invocation("plot", scratch.path, "--curves-only").status == 0)
    #expect(try !String(contentsOfFile: scratch.file("report.html"), encoding: .utf8).contains(" parameters"))
  }

  @Test func partsAreDrawn() throws {
    let run = try train(["mlp", "--steps", "2", "--validation", "0.25"])
    for (words, text) in [
      ([], "All 24 validation examples of"), (["--part", "test"], "All 40 test examples of"),
      (["--part", "all"], "All 136 examples of"),
    ] {
      let plot = try Invocation(["plot", run, "--device", "cpu"] + words)
      #expect(plot.status == 0, "\(plot.errors)")
      #expect(try String(contentsOfFile: "\(run)/report.html", encoding: .utf8).contains(text), "\(text)")
    }
    for words in [["--data", "synthetic"], ["--part", "test"], ["--device", "cpu"]] {
      let plot = try Invocation(["plot", run, "--curves-only"] + words)
      #expect(plot.status == 64 && plot.errors.contains("\(words[0]) has no effect"), "\(plot.errors)")
    }
  }

  @Test func textModelsHaveNoImages() throws {
    let text = try scratch.write(Array(String(repeating: "the quick brown fox jumps. ", count: 80).utf8), to: "a.txt")
    let output = scratch.file("text")
    let run = try Invocation(
      "train", "char-lstm", "--data", "text:\(text)", "--steps", "3", "--device", "cpu", "--output", output)
    #expect(run.status == 0, "\(run.errors)")
    let plot = try Invocation("plot", output, "--device", "cpu")
    #expect(plot.status == 0, "\(plot.errors)")
    let files = try names(output)
    #expect(files.contains("loss.svg") && files.contains("weights.svg") && !files.contains("saliency.svg"))
  }

  /// There are different messages for a run with an incomplete last record, a damaged run, and a run without records.
  @Test func incompleteAndDamagedRunsAreReported() throws {
    let run = try train(["mlp", "--steps", "60", "--batch-size", "16"])
    let metrics = URL(filePath: "\(run)/metrics.jsonl")
    let whole = try String(contentsOf: metrics, encoding: .utf8)

    try (whole + "{\"step\":61,\"lo").write(to: metrics, atomically: true, encoding: .utf8)
    let open = try Invocation("plot", run, "--curves-only", "--json")
    #expect(open.status == 0 && open.errors.contains("the last line is incomplete"), "\(open.errors)")
    #expect(try open.member("records") == whole.split(separator: "\n").count)

    try ("{\"step\":1}\nnonsense\n" + whole).write(to: metrics, atomically: true, encoding: .utf8)
    let damaged = try Invocation("plot", run, "--curves-only")
    #expect(damaged.status == 65 && damaged.errors.contains("metrics.jsonl") && damaged.errors.contains("line 2"))

    try "".write(to: metrics, atomically: true, encoding: .utf8)
    try FileManager.default.removeItem(atPath: "\(run)/checkpoints")
    let empty = try Invocation("plot", run)
    #expect(empty.status == 0 && empty.errors.contains("has written no metrics yet"), "\(empty.errors)")
    #expect(empty.errors.contains("the results of the model on examples are left out"))
    #expect(try names(run).contains("graph.svg"))
  }

  @Test func mistakes() throws {
    #expect(try Invocation("plot").status == 64)
    let nothing = try Invocation("plot", scratch.file("nowhere"))
    #expect(
      nothing.status == 74 && nothing.errors.contains("cannot read a run: it does not exist"), "\(nothing.errors)")
    let noRun = try Invocation("plot", scratch.path)
    #expect(noRun.status == 74 && noRun.errors.contains("no config.json"), "\(noRun.errors)")
    let file = try scratch.write(Array("{\"model\":\"nonsense\"}".utf8), to: "config.json")
    #expect(try Invocation("plot", file).status == 74)
    let unknown = try Invocation("plot", scratch.path)
    #expect(unknown.status == 65 && unknown.errors.contains("unknown model \"nonsense\""), "\(unknown.errors)")
    _ = try scratch.write(Array("{\"modle\":\"mlp\"}".utf8), to: "config.json")
    let strange = try Invocation("plot", scratch.path)
    #expect(strange.status == 65 && strange.errors.contains("unknown key \"modle\""), "\(strange.errors)")
    let run = try train(["mlp", "--steps", "2"])
    let page = try Invocation("plot", run, "--curves-only", "--output", "/nowhere/page.html")
    #expect(page.status == 74 && page.errors.contains("/nowhere"), "\(page.errors)")
  }
}
