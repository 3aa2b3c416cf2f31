import ApusTestSupport
import Foundation
import Testing

/// Which split of the data a model is evaluated on.
struct PartTests {
  private let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  private func measure(_ words: String...) throws -> Invocation {
    try Invocation(["evaluate"] + words + ["--device", "cpu", "--json"])
  }

  /// A run that holds out validation examples is evaluated on them by default; `--part` selects other examples.
  @Test func validationExamplesAreMeasuredByDefault() throws {
    let images = try TinyImages()
    func train(_ name: String, _ words: [String]) throws -> String {
      let words = ["train", "mlp", "--data", images.source, "--steps", "6", "--batch-size", "16"] + words
      let run = try Invocation(words + ["--device", "cpu", "--output", scratch.file(name)])
      try #require(run.status == 0, "\(run.errors)")
      return scratch.file(name)
    }
    let run = try train("held", ["--validation", "0.25"])
    for (part, count) in [("validation", 24), ("test", 40), ("train", 72), ("all", 136)] {
      let line = try measure(run, "--part", part).summary()
      let key = part == "all" ? "" : "\(part)_"
      #expect(line["part"] as? String == part && line["examples"] as? Int == count)
      for name in ["loss", "accuracy"] { #expect(line[key + name] is Double, "\(key + name)") }
      #expect(
        line.keys.filter { $0.hasSuffix("accuracy") }.sorted()
          == ["balanced_accuracy", "\(key)accuracy", "top_5_accuracy"].sorted())
    }
    let usual = try measure(run, "--human-error", "0").summary()
    #expect(usual["part"] as? String == "validation" && usual["test_loss"] == nil)
    let verdict = try #require(usual["bias_variance"] as? [String: Any])
    #expect(verdict["validation_examples"] as? Int == 24 && verdict["train_examples"] as? Int == 72)
    let text = try Invocation("evaluate", run, "--device", "cpu")
    #expect(text.output.contains("24 validation images of") && text.output.contains("validation accuracy"))
    let errors = try Invocation("errors", run, "--device", "cpu", "--json").summary()
    #expect(errors["part"] as? String == "validation" && errors["examples"] as? Int == 24)
    #expect(errors["validation_accuracy"] as? Double == usual["validation_accuracy"] as? Double)
    let tests = try Invocation("errors", run, "--device", "cpu", "--part", "test")
    #expect(tests.output.contains("40 test images of"), "\(tests.errors)")
    for part in ["train", "all"] {
      let refused = try measure(run, "--human-error", "0", "--part", part)
      #expect(refused.status == 64 && refused.errors.contains("--part validation or test"), "\(refused.errors)")
    }
    let plain = try train("plain", [])
    #expect(try measure(plain).member("part") == "test")
    let none = try measure(plain, "--part", "validation")
    #expect(
      none.status == 64 && none.errors.contains("--part validation: the run holds out no such part"), "\(none.errors)")
    #expect(try measure(plain, "--part", "tets").errors.contains("did you mean test?"))
  }

  /// Files of the user are evaluated as a whole, whatever their names. The file on which the run was trained is not
  /// evaluated as a whole.
  @Test func filesAreMeasuredWhole() throws {
    func table(_ name: String, _ kinds: [String]) throws -> String {
      let rows = kinds.enumerated().map { "\($0 * 7 % 11),\($0 % 5),\($1)" }
      return "csv:" + (try scratch.write(Array((["a,b,kind"] + rows).joined(separator: "\n").utf8), to: name))
    }
    let source = try table("train.csv", (0..<50).map { $0 % 3 == 0 ? "moss" : "tree" })
    let words = ["train", "mlp", "--layers", "dense 4, dense 2", "--data", source, "--steps", "3"]
    let run = try Invocation(words + ["--device", "cpu", "--output", scratch.file("run")])
    try #require(run.status == 0, "\(run.errors)")
    for (kinds, count) in [([String](repeating: "tree", count: 7), 7), (["moss"], 1), (["tree", "moss", "moss"], 3)] {
      let other = try measure(scratch.file("run"), "--data", table("other.csv", kinds))
      #expect(try other.member("part") == "all" && other.member("examples") == count, "\(other.errors)")
      #expect(try other.member("accuracy", as: Double.self) != nil && other.member("loss", as: Double.self) != nil)
    }
    for same in [source, "csv:\(scratch.path)/./train.csv"] {
      #expect(try measure(scratch.file("run"), "--data", same).member("examples") == 10)
    }
    #expect(try measure(scratch.file("run"), "--part", "all").member("examples") == 50)
    #expect(try measure(scratch.file("run"), "--part", "train").member("examples") == 40)
    // The bias-variance verdict compares the file with the training examples of the run.
    let judged = try measure(
      scratch.file("run"), "--data", table("other.csv", ["tree", "moss", "moss"]), "--human-error", "0")
    let verdict = try #require(try judged.member("bias_variance", as: [String: Any].self), "\(judged.errors)")
    #expect(verdict["train_examples"] as? Int == 40 && verdict["validation_examples"] as? Int == 3)
  }

  /// As `filesAreMeasuredWhole`, for texts of language models, whose examples are windows of tokens, and for labeled
  /// texts.
  @Test func textsAreMeasuredWhole() throws {
    func text(_ name: String, _ count: Int) throws -> String {
      "text:" + (try scratch.write([UInt8](repeating: UInt8(ascii: "a"), count: count), to: name))
    }
    let words = ["--width", "4", "--depth", "1", "--sequence-length", "8", "--steps", "1", "--device", "cpu"]
    let language = try Invocation(
      ["train", "char-lstm", "--data", text("a.txt", 1000), "--output", scratch.file("language")] + words)
    try #require(language.status == 0, "\(language.errors)")
    for (words, part, count) in [
      (["--data", try text("b.txt", 161)], "all", 20), ([], "test", 12), (["--part", "all"], "all", 124),
      (["--part", "train"], "train", 112),
    ] {
      let measured = try Invocation(
        ["evaluate", scratch.file("language"), "--device", "cpu", "--json"] + words)
      #expect(try measured.member("part") == part && measured.member("examples") == count, "\(measured.errors)")
      let key = part == "all" ? "perplexity" : "\(part)_perplexity"
      #expect(try measured.member(key, as: Double.self) != nil)
    }
    let lines = (0..<40).map { "\($0 % 2 == 0 ? "cat" : "dog")\tthe number \($0)" }
    func labeled(_ name: String, _ count: Int) throws -> String {
      "labelled-text:" + (try scratch.write(Array(lines.prefix(count).joined(separator: "\n").utf8), to: name))
    }
    let classes = try Invocation(
      "train", "text-lstm", "--data", labeled("c.txt", 40), "--width", "4", "--sequence-length", "4", "--steps", "1",
      "--device", "cpu", "--output", scratch.file("texts"))
    try #require(classes.status == 0, "\(classes.errors)")
    // Three examples are too few for a split, so the file is evaluated as a whole.
    let few = try measure(scratch.file("texts"), "--data", labeled("d.txt", 3))
    #expect(try few.member("examples") == 3 && few.member("part") == "all", "\(few.errors)")
    #expect(try measure(scratch.file("texts")).member("examples") == 4)
    let errors = try Invocation("errors", scratch.file("texts"), "--part", "all", "--device", "cpu", "--json")
    #expect(try errors.member("examples") == 40)
    for line in errors.lines.dropLast() {
      let entry = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      #expect(entry["name"] as? String == "the number \(entry["example"] as? Int ?? -1)")
    }
  }
}
