import Apus
import ApusTestSupport
import Foundation
import Testing

/// Evaluation of an image classifier and of a text classifier with two classes, and their lists of misclassified
/// examples.
@Suite struct EvaluateTests {
  private let scratch: ScratchDirectory
  private let images: TinyImages

  init() throws {
    scratch = try ScratchDirectory()
    images = try TinyImages()
  }

  /// A model after a few steps: it recognizes some classes and not others.
  private func imageRun() throws -> String {
    let run = try Invocation(
      "train", "mlp", "--data", images.source, "--device", "cpu", "--batch-size", "16", "--steps", "6", "--output",
      scratch.file("images"))
    try #require(run.status == 0, "\(run.errors)")
    return scratch.file("images")
  }

  /// Trains on texts with the labels cat and dog. The labels do not depend on the texts, so that some texts are
  /// misclassified.
  private func textRun() throws -> String {
    let lines = (0..<200).map { "\($0 % 7 < 3 ? "cat" : "dog")\tthe \($0 % 2 == 0 ? "cat" : "dog") number \($0 % 9)" }
    let path = try scratch.write(Array(lines.joined(separator: "\n").utf8), to: "texts.txt")
    let run = try Invocation(
      "train", "text-lstm", "--data", "labelled-text:\(path)", "--width", "8", "--steps", "4", "--sequence-length", "6",
      "--device", "cpu", "--output", scratch.file("texts"))
    try #require(run.status == 0, "\(run.errors)")
    return scratch.file("texts")
  }

  private func evaluate(_ words: String...) throws -> Invocation {
    try Invocation(["evaluate"] + words + ["--device", "cpu"])
  }

  @Test func classesAreMeasured() throws {
    let run = try imageRun()
    let result = try evaluate(run, "--json")
    #expect(result.status == 0 && result.lines.count == 1, "\(result.errors)")
    let line = try result.summary()
    for key in ["model", "device", "data", "examples", "test_loss", "test_accuracy", "seconds", "weights_sha256"] {
      #expect(line[key] != nil, "\(key)")
    }
    let classes = try #require(line["classes"] as? [[String: Any]])
    let matrix = try #require(line["confusion_matrix"] as? [[Int]])
    #expect(classes.count == 10 && matrix.count == 10 && matrix.allSatisfy { $0.reduce(0, +) == 4 })
    let accuracy = try #require(line["test_accuracy"] as? Double)
    #expect(accuracy == Double((0..<10).reduce(0) { $0 + matrix[$1][$1] }) / 40)
    for (number, measures) in classes.enumerated() {
      #expect(measures["label"] as? Int == number && measures["class"] as? String == "\(number)")
      #expect(measures["recall"] as? Double == Double(matrix[number][number]) / 4)
      #expect(measures["support"] as? Int == 4 && measures["auc"] is Double)
      let predicted = matrix.reduce(0) { $0 + $1[number] }
      #expect((measures["undefined"] as? [String] == ["precision"]) == (predicted == 0))
    }
    let top = try #require(line["top_5_accuracy"] as? Double)
    #expect(top >= accuracy && top <= 1)
    #expect((line["macro"] as? [String: Double])?.keys.sorted() == ["f1", "precision", "recall"])
    #expect((line["micro"] as? [String: Double])?["f1"] == accuracy)
    for key in ["auc", "expected_calibration_error", "brier_score", "balanced_accuracy"] {
      #expect(line[key] is Double, "\(key)")
    }
    #expect(line["best_f1"] == nil && line["threshold"] == nil && line["bias_variance"] == nil)
    let text = try evaluate(run, "--top-k", "2")
    #expect(text.status == 0 && text.output.contains("top-2 accuracy") && text.output.contains("calibration error"))
    #expect(text.lines.contains { $0.hasPrefix("CLASS") } && text.lines.contains { $0.hasPrefix("weighted average") })
  }

  @Test func biasAndVarianceAreSeparated() throws {
    let run = try imageRun()
    let line = try evaluate(run, "--human-error", "0.02", "--json").summary()
    let verdict = try #require(line["bias_variance"] as? [String: Any])
    let train = try #require(line["train_accuracy"] as? Double)
    #expect(line["train_loss"] is Double && abs((verdict["train_error"] as? Double ?? 2) - (1 - train)) < 1e-12)
    #expect(verdict["train_examples"] as? Int == 96 && verdict["validation_examples"] as? Int == 40)
    #expect(verdict["bayes_error"] as? Double == 0.02 && (verdict["classes"] as? [Any])?.count == 10)
    let validation = try #require(line["test_accuracy"] as? Double)
    let expected = BiasVariance(
      train: MeasuredError(wrong: Int((96 * (1 - train)).rounded()), of: 96),
      validation: MeasuredError(wrong: Int((40 * (1 - validation)).rounded()), of: 40), bayes: 0.02)
    #expect(verdict["verdict"] as? String == expected.verdict.rawValue)
    let text = try evaluate(run, "--human-error", "0.02")
    #expect(text.output.contains("avoidable bias") && text.output.contains("verdict: "), "\(text.output)")
  }

  @Test func aThresholdDecidesBetweenTwoClasses() throws {
    let run = try textRun()
    let plain = try evaluate(run, "--json").summary()
    let best = try #require(plain["best_f1"] as? [String: Double])
    #expect(plain["auc"] is Double && plain["average_precision"] is Double && plain["best_youden"] != nil)
    #expect(plain["top_5_accuracy"] == nil)
    let threshold = try #require(best["threshold"])
    let chosen = try evaluate(run, "--threshold", "\(threshold)", "--json").summary()
    #expect(chosen["threshold"] as? Double == threshold)
    let second = try #require((chosen["classes"] as? [[String: Any]])?.last)
    for key in ["precision", "recall", "f1"] { #expect(second[key] as? Double == best[key], "\(key)") }
    // At a threshold near 0 every example is predicted as the second class.
    let all = try evaluate(run, "--threshold", "1e-9", "--json").summary()
    #expect((all["classes"] as? [[String: Any]])?.last?["recall"] as? Double == 1)
    #expect(all["test_loss"] as? Double == plain["test_loss"] as? Double)
    #expect(try evaluate(run).output.contains("best F1"))
    // `errors` and `predict` apply the threshold as `evaluate` does, also if a probability equals the threshold.
    let errors = try Invocation("errors", run, "--threshold", "\(threshold)", "--device", "cpu", "--json").summary()
    #expect(errors["test_accuracy"] as? Double == chosen["test_accuracy"] as? Double)
    #expect(errors["threshold"] as? Double == threshold)
    let lines = (0..<200).filter { $0 % 10 == 9 }.map { "the \($0 % 2 == 0 ? "cat" : "dog") number \($0 % 9)" }
    let path = try scratch.write(Array(lines.joined(separator: "\n").utf8), to: "test-lines.txt")
    let seen = try Invocation("predict", run, path, "--threshold", "\(threshold)", "--device", "cpu", "--json")
    let matrix = try #require(chosen["confusion_matrix"] as? [[Int]])
    #expect(seen.lines.count { $0.contains("\"label\":1") } == matrix[0][1] + matrix[1][1], "\(seen.output)")
    let every = try Invocation("predict", run, path, "--threshold", "1e-9", "--device", "cpu", "--json")
    #expect(every.lines.count { $0.contains("\"label\":1,\"class\":\"dog\"") } == 20)
  }

  @Test func optionsThatDoNotApplyAreRefused() throws {
    let run = try imageRun()
    let threshold = try evaluate(run, "--threshold", "0.5")
    #expect(threshold.status == 64 && threshold.errors.contains("a threshold needs two classes, but there are 10"))
    for words in [["errors", run], ["predict", run, images.testImages]] {
      let other = try Invocation(words + ["--threshold", "0.5", "--device", "cpu"])
      #expect(other.status == 64 && other.errors.contains("a threshold needs two classes, but there are 10"))
      #expect(other.output.isEmpty)
    }
    let top = try evaluate(run, "--top-k", "11")
    #expect(top.status == 64 && top.errors.contains("--top-k 11: there are 10 classes"), "\(top.errors)")
    #expect(try evaluate(run, "--threshold", "0").status == 64)
    #expect(try evaluate(run, "--human-error", "1").status == 64)
    let text = try scratch.write(Array((0..<60).map { "the cat sat \($0)" }.joined(separator: "\n").utf8), to: "t.txt")
    let language = try Invocation(
      "train", "char-lstm", "--data", "text:\(text)", "--width", "8", "--depth", "1", "--sequence-length", "8",
      "--steps", "1", "--device", "cpu", "--output", scratch.file("language"))
    #expect(language.status == 0, "\(language.errors)")
    let human = try evaluate(scratch.file("language"), "--human-error", "0.1")
    #expect(human.status == 64 && human.errors.contains("--human-error is for classifiers"), "\(human.errors)")
    let errors = try Invocation("errors", scratch.file("language"))
    #expect(errors.status == 64 && errors.errors.contains("is a language model; try apus evaluate"))
    #expect(try evaluate(scratch.file("language"), "--json").member("test_perplexity", as: Double.self) != nil)
  }

  // MARK: - Errors

  @Test func errorsAreListedAndTheirTagsCounted() throws {
    let (run, sheet) = (try textRun(), scratch.file("errors.csv"))
    let measured = try evaluate(run, "--json").summary()
    let listed = try Invocation("errors", run, "--device", "cpu", "--output", sheet, "--count", "3", "--json")
    #expect(listed.status == 0 && listed.lines.count == 4, "\(listed.errors)")
    let summary = try listed.summary()
    let errors = try #require(summary["errors"] as? Int)
    #expect(summary["test_accuracy"] as? Double == measured["test_accuracy"] as? Double)
    #expect(summary["examples"] as? Int == 20 && summary["output"] as? String == sheet && errors > 3)
    let objects = try listed.lines.dropLast().map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    let losses = objects.compactMap { $0["loss"] as? Double }
    #expect(losses.count == 3 && losses == losses.sorted(by: >))
    #expect(objects.allSatisfy { ($0["name"] as? String)?.hasPrefix("the ") == true })
    #expect(objects.allSatisfy { $0["class"] as? String != $0["predicted_class"] as? String })
    let pairs = try #require(summary["confusions"] as? [[String: Any]])
    #expect(pairs.allSatisfy { $0["class"] is String && $0["predicted_class"] is String })

    var lines = try String(contentsOfFile: sheet, encoding: .utf8).components(separatedBy: "\r\n")
    #expect(lines.count == errors + 2 && lines[0].hasPrefix("example,name,true,predicted,probability,loss,tag 1"))
    // The sheet may be overwritten as long as no tag is filled in.
    #expect(try Invocation("errors", run, "--device", "cpu", "--output", sheet).status == 0)
    lines[1] = lines[1].replacing(/,,,,$/, with: ",odd,,,")
    lines[2] = lines[2].replacing(/,,,,$/, with: ",odd,short,,")
    lines[3] = lines[3].replacing(/,,,,$/, with: ",,,,why?")
    _ = try scratch.write(Array((lines.joined(separator: "\n") + "999,x,cat,dog,,,odd,,,\n").utf8), to: "errors.csv")
    let counted = try Invocation("errors", run, "--device", "cpu", "--tags", sheet, "--json")
    #expect(counted.status == 0 && counted.errors.contains("left out 1 row"), "\(counted.errors)")
    let tags = try #require(try counted.member("tags", as: [String: Any].self))
    #expect(tags["examined"] as? Int == 3 && tags["unmatched_rows"] as? Int == 1)
    let first = try #require((tags["tags"] as? [[String: Any]])?.first)
    #expect(first["tag"] as? String == "odd" && first["errors"] as? Int == 2)
    let accuracy = try #require(summary["test_accuracy"] as? Double)
    #expect(abs((first["fixed_accuracy"] as? Double ?? 0) - (accuracy + 2.0 / 20)) < 1e-12)
    #expect(abs((first["ceiling"] as? Double ?? 0) - (accuracy + (1 - accuracy) * 2 / 3)) < 1e-12)
    let text = try Invocation("errors", run, "--device", "cpu", "--tags", sheet)
    #expect(text.output.contains("3 of \(errors) misclassified examples were examined"), "\(text.output)")
    #expect(text.output.contains("CEILING"))
    // Tags that were filled in are not overwritten.
    let again = try Invocation("errors", run, "--device", "cpu", "--output", sheet)
    #expect(again.status == 64 && again.errors.contains("there is a file with other content"), "\(again.errors)")
    #expect(try String(contentsOfFile: sheet, encoding: .utf8).contains("odd"))
  }

  /// CSV files that are not error sheets are refused, and not overwritten.
  @Test func filesThatAreNoSheetsAreRefused() throws {
    let run = try imageRun()
    let path = try scratch.write(Array("a,b\n1,2\n".utf8), to: "other.csv")
    let other = try Invocation("errors", run, "--device", "cpu", "--tags", path)
    #expect(other.status == 65 && other.errors.contains("does not name the columns example and true"))
    let missing = try Invocation("errors", run, "--device", "cpu", "--tags", scratch.file("none.csv"))
    #expect(missing.status == 74 && missing.errors.contains("none.csv"), "\(missing.errors)")
    #expect(try Invocation("errors", run, "--device", "cpu", "--output", path).status == 64)
  }
}
