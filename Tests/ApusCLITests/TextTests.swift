import ApusTestSupport
import Foundation
import Testing

/// Text models, from the file to the generated text.
struct TextTests {
  private let scratch: ScratchDirectory
  private let text: String
  private let labeled: String

  init() throws {
    scratch = try ScratchDirectory()
    let lines = (0..<60).map { "line \($0 % 7) says: the cat sat on the mat." }
    text = try scratch.write(Array(lines.joined(separator: "\n").utf8), to: "text.txt")
    let examples = (0..<60).map { $0 % 2 == 0 ? "cat\tthe cat number \($0)" : "dog\tthe dog has number \($0)" }
    labeled = try scratch.write(Array(examples.joined(separator: "\n").utf8), to: "labeled.txt")
  }

  private func train(_ words: [String]) throws -> Invocation {
    try Invocation(["train"] + words + ["--device", "cpu", "--batch-size", "8", "--json"])
  }

  @Test(arguments: ["character", "word", "bpe", "wordpiece"])
  func languageModelsTrainEvaluateAndGenerate(_ tokenizer: String) throws {
    let output = scratch.file(tokenizer)
    let run = try train([
      "char-lstm", "--data", "text:\(text)", "--tokenizer", tokenizer, "--vocabulary-size", "270", "--width", "16",
      "--depth", "1", "--sequence-length", "8", "--steps", "40", "--learning-rate", "0.02", "--output", output,
    ])
    #expect(run.status == 0, "\(run.errors)")
    let (loss, perplexity) = (
      try run.member("test_loss", as: Double.self), try run.member("test_perplexity", as: Double.self)
    )
    #expect(abs((perplexity ?? 0) / exp(loss ?? 9) - 1) < 1e-9)
    let bits = try #require(try run.member("test_bits_per_character", as: Double.self))
    // The ratio is the number of tokens per character: 1 for the character tokenizer, less for the other tokenizers.
    let ratio = bits * log(2) / (loss ?? 0)
    #expect(tokenizer == "character" ? abs(ratio - 1) < 1e-9 : ratio > 0 && ratio < 1)

    let measured = try Invocation("evaluate", output, "--json")
    #expect(measured.status == 0, "\(measured.errors)")
    for key in ["test_loss", "test_accuracy", "test_bits_per_character"] {
      #expect(try measured.member(key, as: Double.self) == run.member(key))
    }
    func generate(_ seed: String) throws -> String? {
      let made = try Invocation(
        "generate", output, "--prompt", "the cat", "--length", "12", "--seed", seed, "--device", "cpu", "--json")
      #expect(try made.member("tokens") == 12, "\(made.errors)")
      return try made.member("text", as: String.self)
    }
    let one = try generate("1")
    #expect(one?.hasPrefix("the cat") == true)
    #expect(try generate("1") == one)
    #expect(try generate("2") != one)
  }

  @Test func classifiersTrainAndPredict() throws {
    let output = scratch.file("run")
    let run = try train([
      "text-lstm", "--data", "labelled-text:\(labeled)", "--width", "8", "--steps", "40", "--learning-rate", "0.02",
      "--sequence-length", "6", "--output", output,
    ])
    #expect(run.status == 0, "\(run.errors)")
    #expect(try run.member("test_accuracy") == 1.0)
    let lines = try scratch.write(Array("a dog\n\nthe cat\n".utf8), to: "lines.txt")
    let seen = try Invocation("predict", output, lines, "--device", "cpu")
    #expect(seen.status == 0 && seen.lines.count == 3, "\(seen.errors)")
    #expect(seen.lines.first?.contains("line 1: dog (") == true && seen.lines.last?.contains("line 3: cat (") == true)
    #expect(try Invocation("summary", output, "--json").member("output") == [2])

    // Classes are matched by name, whatever index they have in a file.
    let dogs = (0..<20).map { "dog\tthe dog has number \($0)" }
    let some = try scratch.write(Array(dogs.joined(separator: "\n").utf8), to: "some.txt")
    let measured = try Invocation("evaluate", output, "--data", "labelled-text:\(some)", "--device", "cpu", "--json")
    #expect(try measured.member("accuracy") == 1.0 && measured.member("part") == "all", "\(measured.errors)")
    #expect(try measured.member("examples") == 20)
    let cows = try scratch.write(
      Array(dogs.joined(separator: "\n").replacing("dog\t", with: "cow\t").utf8), to: "cows.txt")
    let unknown = try Invocation("evaluate", output, "--data", "labelled-text:\(cows)", "--device", "cpu")
    #expect(unknown.status == 65 && unknown.errors.contains("it has a class \"cow\""), "\(unknown.errors)")
  }

  /// The weights of a run are loaded with its tokenizer, so that tokens have the same meaning on other texts.
  @Test func weightsBringTheirTokenizer() throws {
    let sizes = ["--width", "8", "--depth", "1", "--sequence-length", "8", "--tokenizer", "word"]
    let base = try train(
      ["word-lstm", "--data", "text:\(text)", "--steps", "30", "--output", scratch.file("base")] + sizes)
    #expect(base.status == 0, "\(base.errors)")
    let lines = (0..<60).map { "mat the on sat zebra \($0)" }
    let other = try scratch.write(Array(lines.joined(separator: "\n").utf8), to: "other.txt")
    let words = ["word-lstm", "--data", "text:\(other)", "--steps", "2", "--weights", scratch.file("base")]
    let tuned = try train(words + ["--output", scratch.file("tuned")] + sizes)
    #expect(tuned.status == 0, "\(tuned.errors)")
    // Of the seven tokens in a line, the word zebra and most of the numbers are unknown.
    #expect(tuned.errors.contains("other.txt: 26 % of its tokens are unknown to the weights' tokenizer"))
    let made = try Invocation(
      "generate", scratch.file("tuned"), "--prompt", "the zebra", "--length", "3", "--device", "cpu", "--json")
    #expect(try made.member("text", as: String.self)?.hasPrefix("the zebra") == true, "\(made.errors)")
    #expect(try made.member("continuation", as: String.self)?.contains("zebra") == false)
    // A weights file in a checkpoint has its tokenizer next to it. A separate weights file has no tokenizer, and the
    // command reports this.
    let file = try #require(
      FileManager.default.enumerator(atPath: scratch.file("base"))?.compactMap { $0 as? String }
        .filter { $0.hasSuffix("weights.safetensors") }.max())
    let again = try train(
      words.dropLast() + [scratch.file("base") + "/" + file, "--output", scratch.file("again")] + sizes)
    #expect(try again.member("weights_sha256", as: String.self) == tuned.member("weights_sha256"), "\(again.errors)")
    try FileManager.default.copyItem(
      atPath: scratch.file("base") + "/" + file, toPath: scratch.file("alone.safetensors"))
    let alone = try train(
      [
        "word-lstm", "--data", "text:\(text)", "--steps", "1", "--weights", scratch.file("alone.safetensors"),
        "--output",
        scratch.file("other"),
      ] + sizes)
    #expect(alone.status == 0 && alone.errors.contains("the file has no tokenizer"), "\(alone.errors)")
    let kind = try train(words + ["--output", scratch.file("kind")] + sizes.dropLast() + ["character"])
    #expect(
      kind.status == 65 && kind.errors.contains("of the kind word, the tokenizer of this run character"),
      "\(kind.errors)")
    let few = try train(
      [
        "word-lstm", "--data", "text:\(text)", "--steps", "1", "--vocabulary-size", "3", "--output",
        scratch.file("few"),
      ]
        + sizes)
    #expect(few.status == 0 && few.errors.contains("a larger --vocabulary-size covers more words"), "\(few.errors)")
    let rest = try train(["--resume", scratch.file("tuned"), "--steps", "4"])
    #expect(rest.status == 0, "\(rest.errors)")
  }

  /// A resumed run ends with the same bits as an uninterrupted run.
  @Test func resumedRunsHaveTheSameBits() throws {
    // A schedule that depends on the length of the run would give other learning rates in a shorter run.
    let words = [
      "char-lstm", "--data", "text:\(text)", "--width", "8", "--depth", "1", "--sequence-length", "8", "--dropout",
      "0.2", "--seed", "4", "--schedule", "constant",
    ]
    let whole = try train(words + ["--steps", "12", "--output", scratch.file("whole")])
    #expect(whole.status == 0, "\(whole.errors)")
    #expect(try train(words + ["--steps", "5", "--output", scratch.file("part")]).status == 0)
    let rest = try train(["--resume", scratch.file("part"), "--steps", "12"])
    #expect(try rest.member("weights_sha256", as: String.self) == whole.member("weights_sha256"), "\(rest.errors)")
    let other = try scratch.write(Array(repeating: UInt8(ascii: "x"), count: 500), to: "other.txt")
    let foreign = try train(["--resume", scratch.file("part"), "--data", "text:\(other)"])
    #expect(foreign.status == 65 && foreign.errors.contains("its data is"), "\(foreign.errors)")
  }

  @Test func mistakes() throws {
    let short = try scratch.write(Array("0123456789 0123456789".utf8), to: "short.txt")
    let cases: [([String], Int32, String)] = [
      (["lenet5", "--width", "8"], 64, "--width is for models of text, but lenet5 takes images"),
      (["char-lstm", "--classes", "3"], 64, "--classes is for classifiers"),
      (
        ["lstm", "--data", "synthetic", "--initialize", "autoencoder"], 65,
        "layers before the last layer; the model has none"
      ),
      (["char-lstm", "--layers", "dense 3"], 64, "--layers makes models of images, but char-lstm takes text"),
      (["char-lstm", "--data", "synthetic"], 65, "it has images, but the model needs text"),
      (["text-lstm", "--data", "text:\(text)"], 65, "it has text, but the model needs labelled texts"),
      (["char-lstm", "--tokenizer", "chars"], 64, "--tokenizer"),
      (["char-lstm", "--data", "text:\(short)"], 65, "a window takes 65"),
      (["char-lstm", "--data", "text:/nowhere"], 74, "/nowhere"),
      (["text-lstm", "--data", "labelled-text:\(text)"], 65, "the line has no class or no text"),
      (["text-lstm", "--data", "labelled-text:\(labeled)", "--classes", "1"], 64, "less than the 2 classes"),
    ]
    for (words, status, message) in cases {
      let run = try train(words + ["--steps", "1", "--output", scratch.file("mistake")])
      #expect(run.status == status && run.errors.contains(message), "\(words): \(run.status) \(run.errors)")
    }
  }
}
