import Apus
import ApusTestSupport
import Foundation
import Testing

/// Files in the format of CIFAR-10, with 80 training and 20 test images. An image of class k is noise, which is
/// brighter in rows 3k, 3k+1 and 3k+2.
private struct TinyCIFAR {
  let directory: ScratchDirectory

  /// The value of `--data`.
  var source: String { "cifar10:\(directory.path)" }

  init() throws {
    directory = try ScratchDirectory()
    for batch in 1...5 { _ = try directory.write(Self.records(16, seed: batch), to: "data_batch_\(batch).bin") }
    _ = try directory.write(Self.records(20, seed: 6), to: "test_batch.bin")
    _ = try directory.write(Array((0..<10).map { "class \($0)\n" }.joined().utf8), to: "batches.meta.txt")
  }

  private static func records(_ count: Int, seed: Int) -> [UInt8] {
    var state = UInt64(seed)
    var bytes: [UInt8] = []
    for image in 0..<count {
      let label = image % 10
      bytes.append(UInt8(label))
      for place in 0..<3072 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let noise = UInt8(state >> 57)
        bytes.append(place % 1024 / 32 / 3 == label ? noise + 100 : noise)
      }
    }
    return bytes
  }
}

/// The recipe of airbench94 in a small form, and its options for other models.
struct AirbenchTests {
  private let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  private func words(_ name: String, _ images: TinyCIFAR, steps: Int) -> [String] {
    [
      "train", "airbench94", "--data", images.source, "--train-count", "48", "--batch-size", "16", "--steps",
      "\(steps)", "--keep", "last=9", "--device", "cpu", "--json", "--output", scratch.file(name),
    ]
  }

  /// The values of two parameters in a checkpoint of a run.
  private func weights(_ run: String, step: Int) throws -> (first: [Float], second: [Float]) {
    try withDevice(.named("cpu")) { () throws in
      let model = Airbench()
      try Checkpoint(path: scratch.file("\(run)/checkpoints/step-00000000\(step)")).load(into: model)
      func values(_ key: String) throws -> [Float] {
        try #require(model.state.entries.first { $0.key == key }).value.array()
      }
      return (try values("0.weight"), try values("2.conv1.weight"))
    }
  }

  @Test func theRecipeTrains() throws {
    let images = try TinyCIFAR()
    // The weights are first replaced by their moving average after step 5.
    let run = try Invocation(words("run", images, steps: 6))
    try #require(run.status == 0, "\(run.errors)")
    #expect(run.errors.contains("whitening: 24 filters of 2x2 from the patches of 48 images"), "\(run.errors)")
    // An epoch has three batches.
    #expect(try run.member("steps") == 6 && run.member("epochs") == 2)
    // The first convolution has pairs of filters with opposite signs and is frozen. The second convolution is trained.
    let (before, after) = (try weights("run", step: 0), try weights("run", step: 6))
    #expect(before.first == after.first && before.second != after.second)
    #expect(before.first[..<144].map { -$0 } == Array(before.first[144...]))

    // The last test of a run uses test-time augmentation, and so do evaluations by default.
    let path = scratch.file("run")
    let measured = try Invocation("evaluate", path, "--device", "cpu", "--json")
    #expect(try measured.status == 0 && measured.member("test_time_augmentation") == "flip-shift", "\(measured.errors)")
    let loss = try #require(try measured.member("test_loss", as: Double.self))
    #expect(try run.member("test_loss") == loss)
    let plain = try Invocation(
      "evaluate", path, "--device", "cpu", "--test-time-augmentation", "none", "--json")
    let plainLoss = try #require(try plain.member("test_loss", as: Double.self), "\(plain.errors)")
    #expect(plainLoss != loss)
    #expect(try plain.member("test_time_augmentation", as: String.self) == nil)
    let text = try Invocation("evaluate", path, "--device", "cpu")
    #expect(text.output.contains("flip-shift"), "\(text.output)")

    let rest = try Invocation("train", "--resume", path, "--steps", "7", "--json")
    #expect(try rest.status == 0 && rest.member("steps") == 7, "\(rest.errors)")
    let changed = try Invocation("train", "--resume", path, "--steps", "8", "--lookahead", "0")
    #expect(changed.status == 65 && changed.errors.contains("its lookahead is 5"), "\(changed.errors)")
  }

  @Test(arguments: [
    (["mlp", "--initialize", "whitening"], 65, "needs a first convolution without groups"),
    (["mlp", "--freeze", "head"], 65, "--freeze head: mlp has no parameter of this name"),
    (["mlp", "--freeze", "1, 3, 5"], 65, "--freeze leaves no parameter to train"),
    (["mlp", "--freeze", "1 later"], 64, "\"1 later\" is not KEY or KEY after EPOCHS"),
    (["mlp", "--optimizer", "rprop", "--momentum", "0.9"], 64, "--momentum is for optimizers with a momentum"),
    (["airbench94", "--image-size", "24"], 65, "images of 24 pixels are smaller than 25"),
  ])
  func mistakes(_ words: [String], _ status: Int32, _ message: String) throws {
    let images = try TinyImages(trainCount: 20, testCount: 10)
    let run = try Invocation(
      ["train"] + words + ["--data", images.source, "--steps", "1", "--device", "cpu", "--output", scratch.file("run")])
    #expect(run.status == status && run.errors.contains(message), "\(run.status) \(run.errors)")
  }

  /// Each of these options also changes the training of another model.
  @Test func otherModelsTakeTheOptions() throws {
    let images = try TinyImages()
    func digest(_ options: [String]) throws -> String? {
      let run = try Invocation(
        [
          "train", "--layers", "conv 8 3x3 no-bias, batchnorm, relu, flatten, dense 10", "--data", images.source,
          "--batch-size", "40", "--optimizer", "nesterov", "--learning-rate", "0.01", "--device", "cpu", "--json",
          "--output", scratch.file("run \(options.joined(separator: " "))"),
        ] + (options.contains("--epochs") ? [] : ["--steps", "6"]) + options)
      #expect(run.status == 0, "\(options): \(run.errors)")
      return try run.member("weights_sha256")
    }
    let options = [
      [], ["--momentum", "0.5"], ["--norm-bias-rate", "4"], ["--lookahead", "2"], ["--freeze", "0"],
      ["--freeze", "0 after 1"], ["--drop-last"], ["--initialize", "whitening"], ["--augment", "flip alternate"],
      ["--schedule", "triangle"], ["--epochs", "1.5"],
    ]
    let digests = try options.map { try digest($0) }
    #expect(Set(digests).count == options.count && !digests.contains(nil), "\(digests)")
  }
}
