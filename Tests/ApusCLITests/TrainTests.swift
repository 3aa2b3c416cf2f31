import Apus
import ApusTestSupport
import Foundation
import Testing

struct TrainTests {
  private let images: TinyImages
  private let scratch: ScratchDirectory

  init() throws {
    images = try TinyImages()
    scratch = try ScratchDirectory()
  }

  private func train(_ words: [String], environment: [String: String] = [:]) throws -> Invocation {
    try Invocation(
      ["train"] + words + ["--data", images.source, "--device", "cpu", "--json"], environment: environment)
  }

  @Test func profilesAreTraces() throws {
    let path = scratch.file("profile.json")
    let words = ["mlp", "--steps", "6", "--batch-size", "16", "--output", scratch.file("profiled"), "--profile", path]
    let run = try train(words)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.errors.contains("OF LIMIT") && run.errors.contains("GFLOP/s"))
    let trace = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: Any]
    let events = try #require(trace?["traceEvents"] as? [[String: Any]])
    let products = events.filter { $0["cat"] as? String == "matmul" }
    #expect(!products.isEmpty)
    for event in products {
      let rates = try #require(event["args"] as? [String: Any])
      #expect(try #require(rates["gflops"] as? Double) > 0 && #require(rates["share_of_limit"] as? Double) > 0)
    }
    let failed = try train([
      "mlp", "--steps", "4", "--output", scratch.file("other"), "--profile", "/nonexistent/p.json",
    ])
    #expect(failed.status == 74 && failed.errors.contains("/nonexistent"))
  }

  /// The last line has exactly the keys that scripts read.
  @Test func lastLineIsTheContract() throws {
    let run = try train(["mlp", "--epochs", "2", "--batch-size", "32", "--seed", "3", "--output", scratch.file("run")])
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.lines.count == 3)
    let line = try run.summary()
    #expect(
      Set(line.keys) == [
        "model", "device", "seed", "epochs", "steps", "train_loss", "train_accuracy", "test_loss", "test_accuracy",
        "seconds", "steps_per_second", "weights_sha256", "output",
      ])
    #expect(line["model"] as? String == "mlp" && line["device"] as? String == "cpu")
    #expect(line["seed"] as? Int == 3 && line["epochs"] as? Int == 2 && line["steps"] as? Int == 6)
    #expect((line["weights_sha256"] as? String)?.count == 64)
    #expect(line["output"] as? String == scratch.file("run"))
  }

  /// The command describes the data before the first step, with a note if an epoch has few steps.
  @Test func theDataAreDescribed() throws {
    let run = try train(["mlp", "--epochs", "2", "--validation", "0.25", "--output", scratch.file("run")])
    #expect(
      run.errors.contains("run: 72 training, 24 validation and 40 test images of 1x28x28, 10 classes"), "\(run.errors)")
    #expect(run.errors.contains("an epoch has only 1 step of 72 examples"), "\(run.errors)")
    let longer = try train(["mlp", "--epochs", "10", "--batch-size", "8", "--output", scratch.file("longer")])
    #expect(longer.errors.contains("96 training and 40 test") && !longer.errors.contains("an epoch has"))
    // A run that cannot start is not announced.
    let failed = try Invocation(
      "train", "mlp", "--data", "mnist:\(scratch.file("nothing"))", "--output", scratch.file("no"))
    #expect(failed.status == 74 && !failed.errors.contains("mlp in"), "\(failed.errors)")
  }

  /// To an error message of the library, the command adds the options that may resolve the error.
  @Test func errorsLeadToOptions() throws {
    let file = try scratch.write(Array("a,b\n".utf8), to: "table.csv")
    for (path, source) in [(file, "csv:\(file)"), (scratch.path, "image-folder:\(scratch.path)")] {
      let run = try Invocation("train", "mlp", "--data", path, "--output", scratch.file("bare"))
      #expect(run.status == 64 && run.errors.contains("(it exists: --data \(source))"), "\(run.errors)")
    }
    #expect(
      try train(["--layers", "dense 12, dense 10", "--steps", "1", "--output", scratch.file("base")]).status == 0)
    let other = try train(
      [
        "--layers", "dense 14, dense 10", "--weights", scratch.file("base"), "--steps", "1", "--output",
        scratch.file("x"),
      ])
    #expect(other.status == 65 && other.errors.contains("--replace-head"), "\(other.errors)")
  }

  /// A model trained on images of one size predicts images of any size.
  @Test func imagesOfOtherSizesArePredicted() throws {
    let output = scratch.file("run")
    #expect(try train(["mlp", "--steps", "60", "--batch-size", "32", "--output", output]).status == 0)
    // In `TinyImages`, a bright row shows the class. This image has the row of class 3, at twice the height and width.
    let pixels = (0..<56 * 56).map { place -> UInt8 in place / 56 / 2 == 10 ? 220 : 30 }
    let file = scratch.file("large.png")
    try Data(Image(height: 56, width: 56, channels: 1, pixels: pixels).pngData()).write(to: URL(filePath: file))
    let seen = try Invocation("predict", output, file, "--device", "cpu", "--json")
    let line = try JSON(parsing: Array((seen.lines.first ?? "").utf8))
    #expect(seen.status == 0 && line["label"]?.integer == 3, "\(seen.output) \(seen.errors)")
  }

  @Test func learnsEvaluatesAndPredicts() throws {
    let output = scratch.file("run")
    let run = try train(["mlp", "--steps", "60", "--batch-size", "32", "--output", output])
    #expect(try run.member("test_accuracy") == 1.0, "\(run.output)\(run.errors)")

    let measured = try Invocation("evaluate", output, "--json")
    #expect(measured.status == 0, "\(measured.errors)")
    for key in ["test_accuracy", "test_loss"] {
      #expect(try measured.member(key, as: Double.self) == run.member(key))
    }
    #expect(try measured.member("weights_sha256", as: String.self) == run.member("weights_sha256"))

    let seen = try Invocation("predict", output, images.testImages, "--json")
    #expect(seen.status == 0, "\(seen.errors)")
    #expect(try seen.member("examples") == 40 && seen.lines.count == 41)
    #expect(seen.lines[13].contains("\"index\":13,\"label\":3,\"class\":\"3\""), "\(seen.lines[13])")
  }

  /// Initial weights that are computed from the data change the result of a run, and each time in the same way.
  @Test func initialWeightsFromTheData() throws {
    func digest(_ words: [String]) throws -> String {
      let name = scratch.file("run-\(UUID().uuidString)")
      let run = try train(["mlp", "--steps", "1", "--batch-size", "32", "--output", name] + words)
      #expect(run.status == 0, "\(run.errors)")
      return try #require(try run.member("weights_sha256", as: String.self))
    }
    let plain = try digest([])
    for source in ["lsuv", "autoencoder"] {
      let found = try digest(["--initialize", source])
      #expect(found != plain)
      #expect(try digest(["--initialize", source]) == found)
    }
    let both = try train(["mlp", "--initialize", "lsuv", "--weights", "w", "--output", scratch.file("both")])
    #expect(both.status == 64 && both.errors.contains("exclude each other"))
  }

  @Test func fullBatchesOptimizersAndSchedules() throws {
    for (optimizer, schedule) in [("momentum", "cosine"), ("nesterov-look-ahead", "one-cycle"), ("adamw", "plateau")] {
      let run = try train([
        "--layers", "dense 16, tanh, dense 10", "--steps", "4", "--batch-size", "full", "--optimizer", optimizer,
        "--schedule", schedule, "--warmup", "2", "--weight-decay", "0.01", "--clip-norm", "1", "--output",
        scratch.file(optimizer),
      ])
      #expect(run.status == 0, "\(run.errors)")
      #expect(try run.member("epochs") == 4)
    }
  }

  /// Each of these options changes the run, and a resumed run keeps the options.
  @Test func gradientsPenaltiesAndConstraints() throws {
    func digest(_ name: String, _ words: [String], steps: String = "6") throws -> String? {
      let run = try train(
        [
          "mlp", "--batch-size", "32", "--steps", steps, "--optimizer", "adamw", "--weight-decay", "0.1", "--output",
          scratch.file(name),
        ] + words)
      #expect(run.status == 0, "\(name): \(run.errors)")
      return try run.member("weights_sha256")
    }
    let options = [
      [], ["--clip-value", "0.001"], ["--decay-weights-only"], ["--l1", "0.01"], ["--l2", "0.01"],
      ["--max-norm", "0.1"],
    ]
    let digests = try options.map { try digest($0.joined(), $0) }
    #expect(Set(digests).count == options.count, "\(digests)")
    let all = options.flatMap { $0 }
    let whole = try digest("whole", all)
    _ = try digest("half", all, steps: "3")
    let rest = try Invocation("train", "--resume", scratch.file("half"), "--steps", "6", "--json")
    #expect(try rest.member("weights_sha256") == whole, "\(rest.errors)")
  }

  /// Every optimizer and schedule trains for two steps, and the help lists their names.
  @Test func everyOptimizerAndScheduleTrains() throws {
    let help = try Invocation("train", "--help").output
    let digests = try (optimizerNames.map { ["--optimizer", $0] } + scheduleNames.map { ["--schedule", $0] }).map {
      let run = try train(
        [
          "--layers", "dense 16, tanh, dense 10", "--steps", "2", "--batch-size", "48", "--weight-decay", "0.01",
          "--output",
          scratch.file("\($0[0])-\($0[1])"),
        ] + $0)
      #expect(run.status == 0, "\($0): \(run.errors)")
      #expect(help.contains($0[1]))
      return try run.member("weights_sha256", as: String.self)
    }
    #expect(optimizerNames.count == 15 && scheduleNames.count == 14)
    // At most two optimizers may give the same weights as another one. Some schedules have no effect on the first two
    // steps.
    #expect(Set(digests.prefix(optimizerNames.count)).count >= optimizerNames.count - 2, "\(digests)")
    print("command: \(digests.count) optimizers and schedules trained")
  }

  /// The state of the plateau schedule is part of the checkpoint.
  @Test func plateausResumeWithTheSameBits() throws {
    func words(_ name: String, _ epochs: Int) -> [String] {
      [
        "--layers", "dense 8, dense 10", "--epochs", "\(epochs)", "--learning-rate", "1e-7", "--optimizer", "sgd",
        "--schedule",
        "plateau", "--batch-size", "48", "--output", scratch.file(name),
      ]
    }
    let whole = try train(words("whole", 30))
    #expect(whole.status == 0, "\(whole.errors)")
    let half = try train(words("half", 14))
    #expect(half.status == 0, "\(half.errors)")
    let rest = try Invocation("train", "--resume", scratch.file("half"), "--epochs", "30", "--json")
    #expect(rest.status == 0, "\(rest.errors)")
    #expect(try rest.member("weights_sha256", as: String.self) == whole.member("weights_sha256"))
    let metrics = try String(contentsOfFile: scratch.file("whole") + "/metrics.jsonl", encoding: .utf8)
    let rates = metrics.matches(of: /"learning_rate":([^,}]+)/).map { String($0.1) }
    // The losses hardly change. The learning rate falls after more than ten epochs without improvement, so it falls
    // twice in 30 epochs.
    #expect(Set(rates).count == 3, "\(rates)")
  }

  /// Equal runs give equal bits for any number of threads; another seed gives other bits.
  @Test func equalRunsAreEqual() throws {
    func digest(_ name: String, seed: String, threads: String) throws -> String? {
      let words = ["mlp", "--steps", "5", "--seed", seed, "--output", scratch.file(name)]
      return try train(words, environment: ["APUS_THREADS": threads]).member("weights_sha256")
    }
    let first = try digest("a", seed: "1", threads: "1")
    #expect(first != nil)
    #expect(try digest("b", seed: "1", threads: "2") == first)
    #expect(try digest("c", seed: "2", threads: "2") != first)
  }

  // MARK: - Configurations

  @Test func configurationRepeatsTheRun() throws {
    let first = try train([
      "--layers", "dense 8, relu, dense 10", "--steps", "3", "--set", "batch_size=16", "--set", "learning-rate=0.01",
      "--output", scratch.file("a"),
    ])
    #expect(first.status == 0, "\(first.errors)")
    let stored = scratch.file("a") + "/config.json"
    let object = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: stored))) as? [String: Any]
    #expect(object?["batch_size"] as? Int == 16 && object?["learning_rate"] as? Double == 0.01)
    #expect(object?["device"] as? String == "cpu" && object?["seed"] as? Int == 0)
    let second = try Invocation("train", "--config", stored, "--json", "--output", scratch.file("b"))
    #expect(second.status == 0, "\(second.errors)")
    #expect(try second.member("weights_sha256", as: String.self) == first.member("weights_sha256"))
    // The command line overrides --set, which overrides the file.
    let third = try Invocation(
      "train", "--config", stored, "--set", "steps=9", "--set", "seed=7", "--seed", "4", "--json", "--output",
      scratch.file("c"))
    #expect(try third.member("steps") == 9 && third.member("seed") == 4)
  }

  @Test(arguments: [
    ("{\"batch_sizes\": 4}", 64, "unknown key \"batch_sizes\"; did you mean batch_size?"),
    ("{\"batch_size\": \"many\"}", 64, "batch_size: \"many\" is not an integer from 1 to 1000000000, or full"),
    ("{\"batch_size\": [1]}", 64, "batch_size: [1] is not an integer from 1 to 1000000000, or full"),
    ("{\"batch_size\": ", 65, "not a valid JSON file"), ("[]", 65, "not an object"),
  ])
  func badConfigurations(text: String, status: Int32, message: String) throws {
    let path = try scratch.write(Array(text.utf8), to: "config.json")
    let run = try train(["mlp", "--config", path, "--output", scratch.file("run")])
    #expect(run.status == status && run.errors.contains(message) && run.output.isEmpty, "\(run.errors)")
    #expect(!FileManager.default.fileExists(atPath: scratch.file("run")))
  }

  // MARK: - Weights

  @Test func startsFromWeights() throws {
    let base = try train(["mlp", "--steps", "30", "--output", scratch.file("base")])
    let same = try train([
      "mlp", "--steps", "1", "--learning-rate", "1e-30", "--optimizer", "sgd", "--weights", scratch.file("base"),
      "--output", scratch.file("same"),
    ])
    #expect(try same.member("weights_sha256", as: String.self) == base.member("weights_sha256"), "\(same.errors)")
    let other = try train([
      "mlp", "--steps", "1", "--classes", "12", "--weights", scratch.file("base"), "--output", scratch.file("other"),
    ])
    #expect(other.status == 65 && other.errors.contains("\"5.weight\" is F32 of shape [10, 128]"), "\(other.errors)")
    let replaced = try train([
      "mlp", "--steps", "1", "--classes", "12", "--weights", scratch.file("base"), "--replace-head", "--output",
      scratch.file("replaced"),
    ])
    #expect(replaced.status == 0, "\(replaced.errors)")
  }
}
