import Apus
import Testing

@testable import ApusRuns

/// A configuration can set every option of `RunOptions`, and `config.json` stores the value of the option. The message
/// of an error names the wrong option.
@Suite struct RunOptionTests {
  /// For each option, a value that differs from the default.
  private static let values: [String: JSON] = [
    "model": "lenet5", "layers": "dense 10", "data": "synthetic", "device": "cpu", "epochs": 7, "steps": 70,
    "batch_size": "full", "drop_last": true, "optimizer": "sgd", "learning_rate": 0.25, "schedule": "cosine",
    "warmup": 3, "momentum": 0.75, "weight_decay": 0.5, "precision": "mixed", "clip_norm": 2.5, "clip_value": 3.5,
    "decay_weights_only": true, "norm_bias_rate": 2.5, "l1": 0.125, "l2": 0.375, "max_norm": 4.5, "lookahead": 6,
    "detect_anomaly": true, "seed": 9, "weights": "w.safetensors", "initialize": "lsuv",
    "freeze": "1.weight, 3 after 2", "replace_head": true, "classes": 12, "save_every": 5.5,
    "early_stop": "loss:patience=3,change=0.5", "keep": "last=3,best=accuracy", "test_share": 0.125, "validation": 0.25,
    "split_seed": 8, "train_count": 100, "label_smoothing": 0.25, "class_weights": "balanced", "sampling": "balanced",
    "target": "c", "ignore_columns": "a,b", "no_header": true, "task": "regression", "scaling": "minmax",
    "missing": "median", "missing_indicators": true, "categories": "codes", "stem": "imagenet", "image_size": 40,
    "channels": 3, "transform": "center-crop 20", "augment": "flip", "test_time_augmentation": "flip", "workers": 3,
    "skip_bad": true, "tokenizer": "bpe", "vocabulary_size": 300, "sequence_length": 50, "width": 24, "depth": 3,
    "dropout": 0.5,
  ]

  /// A model and other options that make `option` valid.
  private static func start(_ option: RunOption) -> (model: String, options: JSONObject) {
    switch option.topic {
    case .run, .data: ("mlp", option.declaration.name == "replace-head" ? ["weights": "w"] : [:])
    case .table: ("mlp", ["data": "csv:t.csv"])
    case .image: (option.declaration.name == "stem" ? "resnet18" : "mlp", [:])
    case .text: ("char-lstm", [:])
    }
  }

  @Test func everyOptionIsStoredAndRead() throws {
    #expect(Set(Self.values.keys) == Set(RunOptions.all.map(\.declaration.key)))
    for option in RunOptions.all where option.declaration.key != "model" {
      let key = option.declaration.key
      let value = try #require(Self.values[key])
      var (model, options) = Self.start(option)
      let usual = try RunSettings(model, options).json[key]
      options[key] = value
      let settings = try RunSettings(model, options)
      #expect(settings.json[key] == value && usual != value, "\(key): \(settings.json[key]?.text() ?? "nil")")
      // Settings that are read from the stored JSON are the same.
      var arguments = Arguments()
      try arguments.fill(from: Configuration(origin: "test", values: settings.json), RunOptions.declarations)
      #expect(try RunSettings(arguments).json == settings.json, "\(key)")
    }
  }

  @Test(arguments: ["lenet5", "char-lstm", "resnet18"])
  func settingsWithoutAValueAreNotStored(_ model: String) throws {
    #expect(try !JSON.object(RunSettings(model, [:]).json).text().contains("null"))
  }

  @Test func namesAreUniqueAndHaveHelp() {
    let names = RunOptions.declarations.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(RunOptions.declarations.allSatisfy { !$0.help.isEmpty })
  }

  /// The help of an option contains all its values. Models, data sets and devices are exceptions: other commands list
  /// them.
  @Test func helpHasTheValues() {
    var compared = 0
    for declaration in RunOptions.declarations where !["model", "data", "device"].contains(declaration.key) {
      guard case .words(let words) = declaration.completion else { continue }
      for word in words { #expect(declaration.help.contains(word), "--\(declaration.name): \(word)") }
      compared += words.count
    }
    #expect(compared > 5)
  }

  /// The errors for options of other models or data, for options that exclude each other, for an invalid value and for
  /// an unknown key.
  @Test(
    arguments: [
      ("char-lstm", ["stem": "small"], "--stem is for models of images, but char-lstm takes text"),
      (
        "vit-b-16", ["stem": "small"],
        "--stem is for published networks with two stems, vit-b-16 has one form for all image sizes"
      ),
      ("char-lstm", ["validation": 0.1], "--validation is for images and tables, but char-lstm takes text"),
      ("mlp", ["width": 8], "--width is for models of text, but mlp takes images"),
      ("mlp", ["target": "c"], "--target is for tables, but fashion-mnist is images"),
      ("mlp", ["data": "csv:t.csv", "augment": "flip"], "--augment is for images, but csv:t.csv is a table"),
      ("mlp", ["epochs": 1, "steps": 1], "--epochs and --steps exclude each other"),
      ("mlp", ["weights": "w", "initialize": "lsuv"], "--initialize and --weights exclude each other"),
      ("mlp", ["replace_head": true], "--replace-head needs --weights"),
      (
        "mlp", ["optimizer": "rprop", "momentum": 0.5],
        "--momentum is for optimizers with a momentum, but rprop has none"
      ),
      (
        "mlp", ["freeze": "1 after many"],
        "--freeze 1 after many: \"1 after many\" is not KEY or KEY after EPOCHS, such as conv1 or fc.bias after 3"
      ),
      ("mlp", ["epochs": 0], "options: epochs: 0 is not a number above 0, at most 1000000000"),
      (
        "mlp", ["test_share": 0.5, "validation": 0.5],
        "--test-share and --validation together leave no training examples"
      ),
      ("mlp", ["transform": "mixup 0.2"], "--transform: mixing is for training alone; write it in --augment"),
      ("mlp", ["batch_size": 0], "options: batch_size: 0 is not an integer from 1 to 1000000000, or full"),
      ("mlp", ["batchsize": 1], "options: unknown key \"batchsize\"; did you mean batch_size?"),
    ] as [(String, JSONObject, String)])
  func mistakesAreNamed(_ model: String, _ options: JSONObject, _ message: String) throws {
    let error = #expect(throws: OptionError.self) { try RunSettings(model, options) }
    #expect(error?.message == message)
  }
}
