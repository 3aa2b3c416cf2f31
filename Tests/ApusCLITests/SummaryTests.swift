import ApusTestSupport
import Foundation
import Testing

struct SummaryTests {
  /// The figures of LeNet-5: 61,706 parameters, 416,520 multiply-accumulates.
  @Test func lenet5() throws {
    let text = try Invocation("summary", "lenet5")
    #expect(text.status == 0 && text.output.contains("61,706 parameters"), "\(text.errors)")
    let json = try Invocation("summary", "lenet5", "--json")
    #expect(json.lines.count == 13)
    #expect(try json.member("parameters") == 61_706 && json.member("macs") == 416_520)
    #expect(try json.member("input") == [1, 28, 28] && json.member("output") == [10])
    #expect(try json.member("activation_bytes") == 58_408)
  }

  /// Every option changes the output or is refused.
  @Test func noOptionIsIgnored() throws {
    let scratch = try ScratchDirectory()
    let colored = try Invocation("summary", "lenet5", "--channels", "3", "--image-size", "32", "--json")
    #expect(try colored.member("input") == [3, 32, 32], "\(colored.errors)")
    let texts = try Invocation("summary", "text-lstm", "--classes", "5", "--width", "8", "--json")
    #expect(try texts.member("output") == [5], "\(texts.errors)")
    for name in ["tokenizer", "augment", "transform", "workers", "skip-bad"] {
      let words = try Invocation(["summary", "lenet5", "--\(name)"] + (name == "skip-bad" ? [] : ["1"]))
      #expect(words.status == 64 && words.errors.contains("unknown option --\(name)"), "\(words.errors)")
    }
    let images = try TinyImages(trainCount: 20, testCount: 10)
    let run = try Invocation(
      "train", "mlp", "--data", images.source, "--steps", "1", "--device", "cpu", "--output", scratch.file("run"))
    #expect(run.status == 0, "\(run.errors)")
    let file = try #require(
      FileManager.default.enumerator(atPath: scratch.file("run"))?.compactMap { $0 as? String }
        .first { $0.hasSuffix("weights.safetensors") })
    for path in [scratch.file("run"), scratch.file("run/\(file)")] {
      #expect(try Invocation("summary", path).status == 0)
      for words in [["--image-size", "8"], ["--classes", "3"], ["--stem", "small"], ["--width", "8"]] {
        let result = try Invocation(["summary", path] + words)
        #expect(result.status == 64 && result.errors.contains("\(words[0]) is for named models"))
      }
    }
  }

  /// In every working directory, a model's name means the model, even if a file or folder has the same name there;
  /// `./lenet5` means the file or folder.
  @Test func namesOfModelsComeFirst() throws {
    let scratch = try ScratchDirectory()
    try FileManager.default.createDirectory(atPath: scratch.file("lenet5"), withIntermediateDirectories: false)
    try Data().write(to: URL(filePath: scratch.file("mlp")))
    let named = try Invocation(["summary", "lenet5", "--classes", "3", "--json"], in: scratch.path)
    #expect(try named.member("output") == [3], "\(named.errors)")
    let other = try Invocation(["summary", "mlp", "--json"], in: scratch.path)
    #expect(try other.member("model") == "mlp", "\(other.errors)")
    let directory = try Invocation(["summary", "./lenet5"], in: scratch.path)
    #expect(directory.status == 74 && directory.errors.contains("./lenet5"), "\(directory.errors)")
    let file = try Invocation(["summary", "./mlp"], in: scratch.path)
    #expect(file.status == 65 && file.errors.contains("./mlp"), "\(file.errors)")
  }

  @Test func layerListsAndMistakes() throws {
    let chain = try Invocation("summary", "--layers", "conv 8 3x3 stride 2, relu, globalpool, dense 3", "--json")
    #expect(try chain.member("output") == [3] && chain.member("parameters") == 8 * 9 + 8 + 8 * 3 + 3)
    let bad = try Invocation("summary", "--layers", "dense 8, conv 3 3x3")
    #expect(bad.status == 65 && bad.errors.contains("layer 2 (conv 3 3x3): needs images"), "\(bad.errors)")
    #expect(try Invocation("summary", "lenet").status == 64)
    // If no name is similar, every command lists all models.
    for words in [["summary"], ["train"], ["learning-curve"], ["verify", "--devices", "cpu,cpu"]] {
      let unknown = try Invocation(words + ["zzzzzzzzzz"])
      #expect(unknown.status == 64, "\(unknown.errors)")
      #expect(unknown.errors.contains("unknown model \"zzzzzzzzzz\"; choose from mlp, lenet5, "), "\(unknown.errors)")
      #expect(unknown.errors.contains(", text-transformer\n"), "\(unknown.errors)")
    }
    let words = try Invocation("summary", "char-lstm", "--classes", "3")
    #expect(words.status == 64 && words.errors.contains("--classes is for classifiers"), "\(words.errors)")
    #expect(try Invocation("summary", "/nowhere.safetensors").status == 74)
  }
}
