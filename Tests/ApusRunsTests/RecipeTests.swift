import Apus
import ApusTestSupport
import Testing

@testable import ApusRuns

/// Recipes of models: the options that a model sets by default.
@Suite struct RecipeTests {
  @Test func airbenchHasThePublishedSettings() throws {
    let settings = try RunSettings("airbench94", ["data": "cifar10:nowhere"])
    let rule = try #require(try settings.updateRule() as? SGD)
    #expect(rule.isNesterov && rule.momentum == 0.85 && rule.learningRate == 1.5)
    // The published learning rate and weight decay are given for 1,024 examples, and in units of the mean step of
    // Nesterov momentum m, which is 1 + 1 / (1 − m).
    let mean = 1 + 1 / (1 - 0.85)
    #expect(abs(rule.learningRate - 11.5 / mean) < 1e-12)
    #expect(abs(rule.learningRate * rule.weightDecay - 0.0153 / mean) < 1e-15)
    #expect(settings.normBiasRate == 64 && settings.lookahead == 5 && settings.initialization == .whitening)
    #expect(settings.freezing == [ParameterFreezing.Rule("0.weight"), ParameterFreezing.Rule("0.bias", after: 3)])
    #expect(settings.dataSettings.labelSmoothing == 0.2 && settings.dataSettings.dropsLast)
    #expect(settings.image.augmentation.description == "flip alternate, crop pad 2 reflect")
    #expect(settings.image.testTimeAugmentation == TestTimeAugmentation.flipShift)
    #expect(settings.length == .epochs(9.9) && settings.batchSize == .count(1024) && settings.schedule == "triangle")
    #expect(settings.json["epochs"] == 9.9)
  }

  /// The biases of the batch norms form a parameter group of their own, and the trainer gets the observer that freezes
  /// parameters. A freezing rule that matches no parameter is an error.
  @Test func biasesOfNormsHaveTheirOwnRate() throws {
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      let settings = try RunSettings("airbench94", ["data": "cifar10:nowhere"])
      let model = Airbench(imageSize: 25, channels: 1, widths: [2, 2, 2])
      let examples = PlannedExamples(count: 8) { count, upload in
        (upload([count, 1, 25, 25], .float32), upload([count], .int32))
      }
      let rule = try settings.updateRule()
      let trainer = try settings.trainer(model, rule, on: examples, objective: .classification) { _ in }
      let groups = trainer.optimizer.groups
      #expect(groups.map(\.parameters.count) == [6, 8, 1] && groups.map(\.rateFactor) == [64, 1, 1])
      #expect(groups.map(\.weightDecay) == [settings.weightDecay / 64, nil, nil])
      #expect(trainer.observers.contains { $0 is ParameterFreezing })
      #expect(throws: ModelError.self) {
        var other = settings
        other.freezing = [ParameterFreezing.Rule("head")]
        _ = try other.trainer(model, rule, on: examples, objective: .classification) { _ in }
      }
    }
  }

  /// Options that the user gives replace those of the recipe. The stored settings contain the given values, even values
  /// that equal the default without a recipe.
  @Test func givenOptionsReplaceTheRecipe() throws {
    let settings = try RunSettings(
      "airbench94",
      [
        "data": "cifar10:nowhere", "label_smoothing": 0, "augment": "", "freeze": "none", "lookahead": 0,
        "drop_last": false, "norm_bias_rate": 1, "test_time_augmentation": "none", "optimizer": "rprop",
        "weights": "w.safetensors", "weight_decay": 0,
      ])
    let stored = try RunSettings(stored: Configuration(origin: "test", values: settings.json))
    for settings in [settings, stored] {
      #expect(settings.dataSettings.labelSmoothing == 0 && !settings.dataSettings.dropsLast)
      #expect(settings.image.augmentation.isEmpty && settings.freezing.isEmpty && settings.lookahead == 0)
      #expect(settings.normBiasRate == 1 && settings.weightDecay == 0)
      #expect(settings.image.testTimeAugmentation == TestTimeAugmentation.none)
      // The momentum belongs to the recipe's optimizer, so another optimizer does not get it. The given weights replace
      // the initialization.
      #expect(settings.momentum == nil && settings.initialization == nil)
    }
    #expect(stored.json == settings.json)
    let usual = try RunSettings("airbench94", ["data": "cifar10:nowhere"])
    #expect(try RunSettings(stored: Configuration(origin: "test", values: usual.json)).json == usual.json)
  }

  /// Options of images in a recipe do not apply to a table.
  @Test func optionsOfOtherDataAreLeftOut() throws {
    let settings = try RunSettings("airbench94", ["data": "csv:t.csv"])
    #expect(settings.image.augmentation.isEmpty && settings.json["augment"] == nil && settings.lookahead == 5)
  }
}
