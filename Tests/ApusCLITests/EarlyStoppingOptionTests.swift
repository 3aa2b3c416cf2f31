import ApusTestSupport
import Foundation
import Testing

/// Runs that stop early, and the checkpoints that they keep.
struct EarlyStoppingOptionTests {
  private let images: TinyImages
  private let scratch: ScratchDirectory

  init() throws {
    images = try TinyImages()
    scratch = try ScratchDirectory()
  }

  /// Trains on 72 images, in three steps per epoch; 24 more images are held out.
  private func train(_ name: String, _ words: [String]) throws -> Invocation {
    try Invocation(
      [
        "train", "mlp", "--data", images.source, "--device", "cpu", "--batch-size", "32", "--validation", "0.25",
        "--json", "--output", scratch.file(name),
      ] + words)
  }

  private func resume(_ name: String, _ words: String...) throws -> Invocation {
    try Invocation(["train", "--resume", scratch.file(name), "--json"] + words)
  }

  private func object(_ path: String) throws -> [String: Any] {
    try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: Any] ?? [:]
  }

  /// The lines of a run's `metrics.jsonl`.
  private func metrics(_ name: String) throws -> [[String: Any]] {
    try String(contentsOfFile: scratch.file(name) + "/metrics.jsonl", encoding: .utf8).split(separator: "\n").map {
      try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:]
    }
  }

  private func steps(_ name: String) throws -> [Int] {
    try FileManager.default.contentsOfDirectory(atPath: scratch.file("\(name)/checkpoints"))
      .compactMap { Int($0.dropFirst("step-".count)) }.sorted()
  }

  @Test func patienceEndsARun() throws {
    let run = try train("run", ["--epochs", "50", "--early-stop", "loss:change=100,patience=2"])
    #expect(run.status == 0, "\(run.errors)")
    let line = try run.summary()
    let reason = try #require(line["stopped"] as? String)
    #expect(reason.hasPrefix("the validation loss has not improved by more than 100.0 from "), "\(reason)")
    #expect(run.errors.contains("stopped after step 9: \(reason)"))
    #expect(run.lines.count == 4 && line["epochs"] as? Int == 3 && line["test_loss"] is Double)
    let last = try #require(try metrics("run").last)
    #expect(last["stopped"] as? String == reason && last["test_loss"] is Double && last["epoch"] as? Int == 3)
    #expect(try object(scratch.file("run/config.json"))["early_stop"] as? String == "loss:patience=2,change=100.0")
    let text = try Invocation("train", "--resume", scratch.file("run"))
    #expect(
      text.output.contains("stopped") && text.output.contains("the validation loss has not improved"), "\(text.output)")
  }

  @Test func targetsEndARun() throws {
    for (spec, start) in [
      ("accuracy:target=0.9", "the validation accuracy of "),
      ("loss:target=1.5,patience=100", "the validation loss of "),
      ("gradient-norm:target=1e9", "the mean gradient norm of "),
    ] {
      let name = String(spec.prefix(4))
      let run = try train(name, ["--epochs", "200", "--early-stop", spec])
      #expect(run.status == 0, "\(run.errors)")
      #expect(try run.member("stopped", as: String.self)?.hasPrefix(start) == true, "\(run.output)")
      #expect(try #require(try run.member("epochs", as: Int.self)) < 200)
    }
    #expect(try metrics("grad").last?["train_gradient_norm"] is Double)
  }

  @Test func resumingWithinThePatience() throws {
    let words = ["--early-stop", "loss:patience=4,change=100"]
    let whole = try train("whole", ["--epochs", "50"] + words)
    #expect(whole.status == 0, "\(whole.errors)")
    #expect(try train("half", ["--steps", "8"] + words).status == 0)
    // A resumed run uses the stored `--early-stop`.
    let rest = try resume("half", "--epochs", "50")
    #expect(rest.status == 0, "\(rest.errors)")
    for key in ["stopped", "weights_sha256"] {
      #expect(try rest.member(key, as: String.self) == whole.member(key), "\(key)")
    }
    #expect(try rest.member("steps", as: Int.self) == 15)
    let again = try resume("half")
    #expect(try again.status == 0 && again.member("weights_sha256", as: String.self) == whole.member("weights_sha256"))
    #expect(again.errors.contains("another --early-stop, or none, continues it"), "\(again.errors)")
    let longer = try resume("half", "--early-stop", "none", "--epochs", "6")
    #expect(try longer.member("steps", as: Int.self) == 18 && longer.summary()["stopped"] == nil, "\(longer.errors)")
    #expect(try object(scratch.file("half/config.json"))["early_stop"] == nil)
  }

  @Test func theBestCheckpointIsKeptAndEvaluated() throws {
    // With this large learning rate, the last epoch is most likely not the best.
    let run = try train(
      "run", ["--epochs", "8", "--learning-rate", "0.05", "--keep", "best,last=3", "--save-every", "1e-6"])
    #expect(run.status == 0, "\(run.errors)")
    #expect(try object(scratch.file("run/config.json"))["keep"] as? String == "last=3,best")
    let epochs = try metrics("run").filter { $0["train_loss"] != nil }
    let losses = epochs.compactMap { $0["validation_loss"] as? Double }
    let index = try #require(losses.firstIndex(of: losses.min() ?? 0))
    let best = try #require(epochs[index]["step"] as? Int)
    #expect(Set(try steps("run")) == [best, 22, 23, 24])

    func evaluate(_ which: String...) throws -> Invocation {
      try Invocation(["evaluate", scratch.file("run"), "--device", "cpu", "--json"] + which)
    }
    let measured = try evaluate("--checkpoint", "best")
    #expect(measured.status == 0, "\(measured.errors)")
    let loss = try #require(try measured.member("validation_loss", as: Double.self))
    #expect(abs(loss - losses[index]) <= 1e-6 * loss)
    let path = try #require(try measured.member("checkpoint", as: String.self))
    #expect(path.hasSuffix("step-\(String(repeating: "0", count: best < 10 ? 8 : 7))\(best)"), "\(path)")
    let last = try evaluate()
    #expect(try last.member("weights_sha256", as: String.self) == run.member("weights_sha256"))
    for which in ["last", "step-24", "step-000000024"] {
      let same = try evaluate("--checkpoint", which)
      #expect(try same.member("weights_sha256", as: String.self) == run.member("weights_sha256"), "\(same.errors)")
    }
    let none = try evaluate("--checkpoint", "step-1")
    #expect(none.status == 74 && none.errors.contains("has no checkpoint step-000000001; it has step-000000024"))
    let own = try Invocation("evaluate", path, "--checkpoint", "last")
    #expect(own.status == 64 && own.errors.contains("is a checkpoint itself"), "\(own.errors)")
    let unknown = try evaluate("--checkpoint", "bset")
    #expect(unknown.status == 64 && unknown.errors.contains("expected last, best or step-N"), "\(unknown.errors)")
  }

  /// If the run kept no best checkpoint, the error names the option that keeps it.
  @Test func aMissingBestCheckpointIsAnError() throws {
    let run = try train("run", ["--steps", "2"])
    #expect(run.status == 0, "\(run.errors)")
    #expect(try object(scratch.file("run/config.json"))["keep"] == nil)
    let result = try Invocation("evaluate", scratch.file("run"), "--checkpoint", "best")
    #expect(result.status == 74 && result.errors.contains("apus train --keep best keeps it"), "\(result.errors)")
  }

  @Test(arguments: [
    ("los:patience=5", "unknown measure \"los\"; did you mean loss? (choose from loss, accuracy, gradient-norm)"),
    ("loss", "it needs patience=N or target=X, as in loss:patience=5"), ("loss:", "loss has no key \"\""),
    ("loss:patiance=5", "loss has no key \"patiance\"; did you mean patience?"),
    ("loss:patience", "patience needs a value: patience=N"),
    ("loss:patience=0", "patience: \"0\" is not an integer from 1 to 1000000000"),
    ("loss:patience=2,patience=3", "patience is given twice"), ("loss:target=x", "target: \"x\" is not a number"),
    ("loss:change=1", "it needs patience=N or target=X"), ("loss:change=1,target=2", "change=X needs patience=N"),
    ("accuracy:patience=2,change=-1", "change: \"-1\" is not a number of 0 or more"),
    ("gradient-norm", "it needs target=X"), ("gradient-norm:patience=3", "gradient-norm has no key \"patience\""),
  ])
  func invalidEarlyStops(spec: String, message: String) throws {
    let run = try train("run", ["--early-stop", spec])
    #expect(run.status == 64 && run.output.isEmpty, "\(run.errors)")
    #expect(run.errors.contains("--early-stop \(spec): \(message)"), "\(run.errors)")
    #expect(!FileManager.default.fileExists(atPath: scratch.file("run")))
  }

  @Test(arguments: [
    ("lats=3", "unknown \"lats\"; did you mean last?"), ("last", "last=N needs an integer from 1 to 1000000"),
    ("last=0", "last=N needs"), ("best,best", "best is given twice"),
    ("best=acuracy", "unknown measure \"acuracy\"; did you mean accuracy?"),
  ])
  func invalidRetentions(spec: String, message: String) throws {
    let run = try train("run", ["--keep", spec])
    #expect(run.status == 64 && run.output.isEmpty, "\(run.errors)")
    #expect(run.errors.contains("--keep \(spec): \(message)"), "\(run.errors)")
  }
}
