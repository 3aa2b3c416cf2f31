import ApusTestSupport
import Foundation
import Testing

/// Numbers that are too large end the command with a message.
struct LimitTests {
  private let images: TinyImages
  private let scratch: ScratchDirectory

  init() throws {
    images = try TinyImages(trainCount: 32, testCount: 8)
    scratch = try ScratchDirectory()
  }

  private func train(_ words: [String]) throws -> Invocation {
    try Invocation(["train", "--data", images.source, "--output", scratch.file("run")] + words)
  }

  private static let huge = ["9223372036854775807", "1000000001", "-1"]

  @Test(arguments: ["epochs", "steps", "batch_size", "classes"])
  func countsOfARun(key: String) throws {
    let option = "--" + key.replacingOccurrences(of: "_", with: "-")
    let expected =
      key == "epochs" ? "is not a number above 0, at most 1000000000" : "is not an integer from 1 to 1000000000"
    for number in Self.huge {
      let file = try scratch.write(Array("{\"\(key)\": \(number)}".utf8), to: "config.json")
      for words in [["\(option)=\(number)"], ["--set", "\(key)=\(number)"], ["--config", file]] {
        let run = try train(["mlp"] + words)
        #expect(run.status == 64 && run.errors.contains(expected), "\(run.errors)")
        #expect(run.errors.contains(words.count == 1 ? option : key), "\(run.errors)")
      }
    }
    #expect(!FileManager.default.fileExists(atPath: scratch.file("run")))
  }

  /// The largest values are accepted: computations with them do not overflow.
  @Test func theLargestCounts() throws {
    let steps = try train(["mlp", "--steps", "1", "--batch-size", "1000000000", "--seed", "9223372036854775807"])
    #expect(steps.status == 0, "\(steps.errors)")
    let epochs = try train(["mlp", "--epochs", "1000000000", "--batch-size", "1", "--learning-rate", "1e30"])
    #expect(epochs.status == 64 && epochs.errors.contains("the folder already has a run"), "\(epochs.errors)")
    let other = try Invocation(
      "train", "mlp", "--data", images.source, "--output", scratch.file("other"), "--epochs", "1000000000",
      "--learning-rate", "1e30")
    #expect(other.status == 1 && other.errors.contains("the loss is"), "\(other.errors)")
  }

  @Test(arguments: ["9223372036854775808", "18446744073709551615", "-1", "1e3"])
  func seeds(number: String) throws {
    for command in [["train", "mlp"], ["verify", "mlp", "--devices", "cpu,cpu"]] {
      let run = try Invocation(command + ["--seed", number])
      #expect(run.status == 64, "\(run.errors)")
      #expect(run.errors.contains("--seed: \"\(number)\" is not an integer from 0 to 9223372036854775807"))
    }
    #expect(try Invocation("train", "--help").output.contains("below 2^63"))
  }

  @Test(arguments: ["9223372036854775807", "1000001", "0"])
  func runsOfABenchmark(number: String) throws {
    let run = try Invocation("bench", "gemm", "--problem", "8x8x8", "--runs", number)
    #expect(run.status == 64 && run.errors.contains("is not an integer from 1 to 1000000\n"), "\(run.errors)")
  }

  @Test(arguments: [
    (["conv", "--problem", "N1C1H1W1K1R65536S65536P50000"], "more than 2⁶⁰ multiplications"),
    (["conv", "--problem", "N1C1H1W1K1R9223372036854775807S1"], "all other sizes 1…2²⁴"),
    (["gemm", "--problem", "1048577x1048577x8"], "each matrix at most 2⁴⁰ elements"),
  ])
  func problemsOfABenchmark(words: [String], message: String) throws {
    let run = try Invocation(["bench"] + words)
    #expect(run.status == 64 && run.errors.contains(message), "\(run.errors)")
  }

  // MARK: - Layers

  /// A list of layers that is refused. The list may be long, so the name of the test contains only its beginning.
  struct LayerList: Sendable, CustomTestStringConvertible {
    let layers: String
    let status: Int32
    let message: String

    init(_ layers: String, _ status: Int32, _ message: String) {
      (self.layers, self.status, self.message) = (layers, status, message)
    }

    var testDescription: String { String(layers.prefix(50)) }
  }

  @Test(arguments: [
    LayerList(
      "conv 1 1x1 pad 500000, conv 1 500001x500001", 65, "layer 2 (conv 1 500001x500001): up to this layer"),
    LayerList("pool 16777216 pad 8388608 stride 1", 65, "layer 1 (pool 16777216 stride 1 pad 8388608): up to this"),
    LayerList("conv 16777216 1x1, conv 16777216 1x1", 65, "layer 2 (conv 16777216 1x1): a tensor of"),
    LayerList("dense 16777216, dense 16777216", 65, "layer 2 (dense 16777216): a tensor of"),
    LayerList("dense 16777217", 64, "is not an integer from 1 to 16777216"),
    LayerList("rows, lstm 8 layers 1000000", 65, "the list has 1000001 layers, more than the limit of 4096"),
    LayerList(
      String(repeating: "relu, ", count: 4096) + "dense 10", 65, "the list has 4097 layers, more than the limit of 4096"
    ),
    LayerList(
      String(repeating: "residual (", count: 15) + "dense 1\u{1B}[2J" + String(repeating: ")", count: 15), 64,
      "\\u{1B}[2j"
    ),
  ])
  func layersBeyondTheLimitsAreRefused(_ list: LayerList) throws {
    for command in [["summary"], ["train", "--data", images.source, "--output", scratch.file("run")]] {
      let run = try Invocation(command + ["--layers", list.layers])
      #expect(run.status == list.status && run.errors.contains(list.message), "\(run.errors)")
    }
  }

  @Test(arguments: ["--transform", "--augment"]) func pipelinesBeyondTheLimitsAreRefused(option: String) throws {
    let start = ContinuousClock.now
    for (text, message) in [
      ("resize 16384", "pixels"), ("flip" + String(repeating: ", flip", count: 99), "steps"),
    ] {
      let run = try train(["lenet5", option, text])
      #expect(run.status == 65 && run.errors.contains("more than the limit of ") && run.errors.contains(message))
    }
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  /// Models that exceed the memory are refused before a parameter is created, not when memory runs out.
  @Test(arguments: ["cpu", "opencl"]) func modelsThatExceedTheMemoryAreRefused(device: String) throws {
    let layers = ["--layers", "dense 16777216, dense 65536, dense 10"]
    let start = ContinuousClock.now
    let run = try train(layers + ["--device", device])
    #expect(ContinuousClock.now - start < .seconds(20))
    #expect(run.status == 1 && run.errors.contains("training the model needs 16.2 TiB, but device "), "\(run.errors)")
    #expect(run.errors.contains("but device \(device)") && run.errors.contains("1,112,682,463,242 parameters"))
    #expect(!FileManager.default.fileExists(atPath: scratch.file("run")))
    let plain = try train(layers + ["--device", device, "--optimizer", "sgd"])
    #expect(plain.status == 1 && plain.errors.contains("needs 8.1 TiB"), "\(plain.errors)")
  }
}
