import Apus
import ApusTestSupport
import Foundation
import Testing

@testable import ApusTraining

/// Training metrics, computed from the outputs of the training steps.
@Suite struct TrainingMeasureTests {
  /// Points of 30 classes; a linear model gets some right by chance.
  private struct ManyClasses: ExampleSource {
    let points: Points
    var count: Int { points.count }

    func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) {
      (points.examples(numbers).inputs, Tensor(numbers.map { $0 * 7 % 30 }))
    }
  }

  private func records(_ trainer: (TrainingOptions) throws -> Trainer) throws -> [String: Double] {
    let last = Last()
    var options = TrainingOptions(length: .epochs(2), batchSize: 8, seed: 3)
    options.onRecord = { record in if record["train_loss"] != nil { last.set(record) } }
    _ = try trainer(options).run()
    var numbers: [String: Double] = [:]
    for (key, value) in last.value { numbers[key] = value.number }
    return numbers
  }

  private final class Last: @unchecked Sendable {
    private let lock = NSLock()
    private var stored: JSONObject = [:]
    var value: JSONObject { lock.withLock { stored } }
    func set(_ record: JSONObject) { lock.withLock { stored = record } }
  }

  private func model() -> Sequential {
    withRandomKey(RandomKey(seed: 4)) { Sequential { Linear(3, 30) } }
  }

  /// With a learning rate of 0, all steps and evaluations measure the same model, so the training metrics and the test
  /// metrics of the same examples agree.
  @Test(arguments: TestDevice.all) func trainingIsMeasuredAsTestsAre(_ place: TestDevice) throws {
    try withDevice(place.device) {
      let source = ManyClasses(points: try Points(count: 43))
      let objective = Objective.classification(classCount: 30)
      let found = try records { options in
        Trainer(model(), SGD(learningRate: 0), on: source, testing: source, objective: objective, options)
      }
      for name in ["loss", "accuracy", "top5_accuracy"] {
        let (train, test) = (try #require(found["train_\(name)"]), try #require(found["test_\(name)"]))
        #expect(abs(train - test) <= 1e-6 * abs(test), "\(name): \(train), \(test)")
      }
      #expect(found["test_top5_accuracy"]! > found["test_accuracy"]!)
      let outputs = try model()(source.examples((0..<43).map { $0 }).inputs).array()
      let ranks = (0..<43).map { row in
        let logits = outputs[row * 30..<row * 30 + 30]
        let own = logits[row * 30 + row * 7 % 30]
        return logits.count { $0 > own }
      }
      #expect(abs(found["test_accuracy"]! - Double(ranks.count { $0 == 0 }) / 43) < 1e-6)
      #expect(abs(found["test_top5_accuracy"]! - Double(ranks.count { $0 < 5 }) / 43) < 1e-6)
    }
  }

  /// Penalties, class weights and label smoothing change the minimized loss, but not the reported training loss.
  @Test func trainingLossesAreComputedAsTestLosses() throws {
    try withDevice(SmallRun().device) {
      let source = ManyClasses(points: try Points(count: 43))
      let model = self.model()
      let found = try records { options in
        Trainer(
          model, SGD(learningRate: 0), on: source, testing: source,
          objective: .classification(weights: (0..<30).map { Double($0) }, smoothing: 0.3),
          testObjective: .classification, penalty: Penalty(.l1(10), on: model), options)
      }
      #expect(abs(found["train_loss"]! / found["test_loss"]! - 1) < 1e-6, "\(found)")
    }
  }

  /// With `.regression(unit: 1000)`, 1 stands for 1000 in the original units: reported absolute errors are multiplied
  /// by 1000, and reported squared errors by 1000².
  @Test func numbersAreMeasuredInTheirOwnUnits() throws {
    struct Line: ExampleSource {
      let points: Points
      var count: Int { points.count }
      func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) {
        let inputs = points.examples(numbers).inputs
        return (inputs, inputs.sum(axis: 1).reshaped(to: [-1, 1]))
      }
    }
    try withDevice(SmallRun().device) {
      let source = Line(points: try Points(count: 43))
      func found(_ unit: Double) throws -> [String: Double] {
        let model = withRandomKey(RandomKey(seed: 4)) { Sequential { Linear(3, 1) } }
        return try records { options in
          Trainer(
            model, SGD(learningRate: 0.1), on: source, testing: source, objective: .regression(unit: unit), options)
        }
      }
      let (plain, scaled) = (try found(1), try found(1000))
      for part in ["train", "test"] {
        #expect(abs(scaled["\(part)_loss"]! / plain["\(part)_loss"]! / 1e6 - 1) < 1e-6)
        let errors = (plain["\(part)_mean_absolute_error"]!, scaled["\(part)_mean_absolute_error"]!)
        #expect(errors.0 > 0 && abs(errors.1 / errors.0 / 1000 - 1) < 1e-5)
      }
    }
  }

  /// The training measures, such as the accuracy, are evaluated in the plan of the step: they change no bit of the
  /// weights, and no plan is added.
  @Test(arguments: TestDevice.all) func measuringChangesNoBit(_ place: TestDevice) throws {
    func run(_ objective: Objective) throws -> (digest: String, plans: Int) {
      // No other test uses this device, so all its plans are those of this run.
      let device = try place.reopened()
      return try withDevice(device) {
        let source = ManyClasses(points: try Points(count: 43))
        let options = TrainingOptions(length: .epochs(3), batchSize: nil, seed: 3)
        let result = try Trainer(model(), Adam(learningRate: 0.1), on: source, objective: objective, options).run()
        return (result.weightsSHA256, device.preparedPlanCount)
      }
    }
    var plain: Objective = .classification
    plain.hits = nil
    let (measured, bare) = (try run(.classification(classCount: 30)), try run(plain))
    #expect(bare.digest == measured.digest && bare.plans == measured.plans, "\(bare), \(measured)")
  }

  /// The times of the epochs sum to the time of the run, even if the run has several sessions.
  @Test func epochsHaveTheirOwnTimes() throws {
    try SmallRun().inDirectory { run, path in
      try run.trainer().stop(after: 8)
      let second = try run.trainer()
      try second.resume { Issue.record("\($0)") }
      let result = try second.run()
      let metrics = try RunMetrics(path: "\(path)/metrics.jsonl")
      let times = metrics.points("epoch_seconds", over: "epoch").map(\.y)
      #expect(times.count == 3 && times.allSatisfy { $0 > 0 })
      let last = try #require(metrics.last("seconds"))
      #expect(abs(times.reduce(0, +) / last - 1) < 1e-9, "\(times), \(last)")
      #expect(result.sessionSeconds < result.seconds && result.sessionSeconds > 0)
    }
  }
}
