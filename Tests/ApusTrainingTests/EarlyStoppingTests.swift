import Apus
import ApusTestSupport
import Foundation
import Testing

@testable import ApusTraining

/// The reasons for which a run is stopped early, and how stopped runs resume.
@Suite struct EarlyStoppingTests {
  /// A trainer of a linear model. With the default learning rate, the validation loss falls from epoch to epoch.
  private func trainer(
    _ stopping: EarlyStopping?, epochs: Double = 10, rate: Double = 0.01, hasValidation: Bool = true,
    _ change: (inout TrainingOptions) -> Void = { _ in }
  ) throws -> Trainer {
    let points = try Points(count: 43)
    var options = TrainingOptions(length: .epochs(epochs), batchSize: 8, seed: 5)
    change(&options)
    let model = withRandomKey(RunSeeds(5).initialization) { Sequential { Linear(3, 2) } }
    return Trainer(
      model, Adam(learningRate: rate), on: points, testing: try Points(count: 11),
      validating: hasValidation ? try Points(count: 17) : nil, observers: stopping.map { [$0] } ?? [], options)
  }

  private func result(
    _ stopping: EarlyStopping, epochs: Double = 10, rate: Double = 0.01, hasValidation: Bool = true
  ) throws -> TrainingResult {
    try withDevice(SmallRun().device) {
      try trainer(stopping, epochs: epochs, rate: rate, hasValidation: hasValidation).run()
    }
  }

  @Test func patienceEndsARun() throws {
    let stopping = EarlyStopping(.loss, patience: 3)
    let result = try result(stopping, rate: 0)
    let loss = try #require(result.validationLoss)
    #expect(result.epochs == 4 && result.steps == 24)
    #expect(
      result.stopped == "the validation loss has not improved from \(loss.text(places: 4)) for 3 epochs",
      "\(result.stopped ?? "")")
    #expect(stopping.best == loss && stopping.epochsWithoutImprovement == 3)
    // The run has ended, so the model was evaluated on the test examples.
    #expect(result.testLoss != nil)
  }

  /// Improvements that are too small do not count.
  @Test func smallChangesEndARun() throws {
    #expect(try result(EarlyStopping(.loss, patience: 3)).stopped == nil)
    let result = try result(EarlyStopping(.loss, patience: 3, change: 10))
    #expect(result.epochs == 4 && result.stopped?.contains("by more than 10.0 from") == true, "\(result)")
  }

  @Test func targetsEndARun() throws {
    let loss = try result(EarlyStopping(.loss, target: 0.5), epochs: 200, rate: 0.05)
    #expect(loss.epochs < 200 && loss.validationLoss! <= 0.5)
    #expect(loss.stopped?.hasSuffix("has reached the target 0.5") == true)
    let accuracy = try result(EarlyStopping(.accuracy, target: 0.9), epochs: 200, rate: 0.05)
    #expect(accuracy.epochs < 200 && accuracy.validationAccuracy! >= 0.9)
    #expect(accuracy.stopped?.hasPrefix("the validation accuracy of ") == true)
  }

  /// Without validation examples, the training examples decide when the run stops, never the test examples.
  @Test func trainingExamplesStandInForValidationExamples() throws {
    let result = try result(EarlyStopping(.loss, patience: 1, change: 10), hasValidation: false)
    #expect(result.epochs == 2 && result.stopped?.hasPrefix("the training loss has not") == true, "\(result)")
  }

  /// The norm is computed over all gradients of a step, before they are clipped.
  @Test func gradientNormsEndARun() throws {
    try withDevice(SmallRun().device) {
      let norms = Norms()
      let trainer = try trainer(EarlyStopping(.gradientNorm, target: 1e6), rate: 0) { options in
        options.batchSize = nil
        options.clipNorm = 1e-3
        options.onRecord = { norms.append($0["train_gradient_norm"]?.number) }
      }
      let points = try Points(count: 43)
      let (_, gradients) = valueAndGradients(of: trainer.model.parameters) {
        crossEntropy(trainer.model(points.inputs), points.targets)
      }
      let expected = try Double(gradients.norm.scalar())
      let result = try trainer.run()
      #expect(result.epochs == 1 && result.stopped?.hasPrefix("the mean gradient norm of ") == true, "\(result)")
      #expect(norms.values.count == 1 && abs(norms.values[0] / expected - 1) < 1e-5, "\(norms.values), \(expected)")
    }
    // A target that no norm reaches does not stop the run.
    #expect(try result(EarlyStopping(.gradientNorm, target: 0), epochs: 2).stopped == nil)
  }

  private final class Norms: @unchecked Sendable {
    private(set) var values: [Double] = []
    func append(_ value: Double?) { if let value { values.append(value) } }
  }

  @Test func anAccuracyHasToBeMeasured() throws {
    var objective = Objective.classification
    objective.hits = nil
    try withDevice(SmallRun().device) {
      let points = try Points(count: 43)
      let trainer = Trainer(
        Sequential { Linear(3, 2) }, Adam(), on: points, objective: objective,
        observers: [EarlyStopping(.accuracy, patience: 1)], TrainingOptions(length: .epochs(2)))
      let error = #expect(throws: TrainingError.self) { try trainer.run() }
      #expect(error?.description.contains("early stopping needs the accuracy") == true, "\(error!)")
    }
  }

  // MARK: - Resuming

  /// The number of epochs without improvement is part of the checkpoint.
  @Test(arguments: [7, 12, 20]) func resumingWithinThePatience(stop: Int) throws {
    func stopping() -> EarlyStopping { EarlyStopping(.loss, patience: 4, change: 10) }
    let scratch = try ScratchDirectory()
    try withDevice(SmallRun().device) {
      let whole = try trainer(stopping()) { $0.output = scratch.file("whole") }.run()
      #expect(whole.epochs == 5 && whole.stopped != nil)
      let path = scratch.file("run")
      try trainer(stopping()) { $0.output = path }.stop(after: stop)
      let rest = try trainer(stopping()) { $0.output = path }
      try rest.resume { Issue.record("\($0)") }
      let result = try rest.run()
      #expect(result.stopped == whole.stopped && result.steps == whole.steps)
      #expect(result.weightsSHA256 == whole.weightsSHA256 && result.results == whole.results)
      #expect(try metrics(path) == metrics(scratch.file("whole")))
    }
  }

  /// A stopped run remains stopped, unless it is resumed with more patience, with another measure or without early
  /// stopping.
  @Test func resumingAStoppedRun() throws {
    let scratch = try ScratchDirectory()
    try withDevice(SmallRun().device) {
      func resumed(_ stopping: EarlyStopping?) throws -> TrainingResult {
        let trainer = try trainer(stopping) { $0.output = scratch.file("run") }
        try trainer.resume { Issue.record("\($0)") }
        return try trainer.run()
      }
      let first = try trainer(EarlyStopping(.loss, patience: 2, change: 10)) { $0.output = scratch.file("run") }.run()
      let written = try metrics(scratch.file("run"))
      let again = try resumed(EarlyStopping(.loss, patience: 2, change: 10))
      #expect(again.stopped == first.stopped && again.steps == first.steps && again.stepsPerSecond == nil)
      #expect(try metrics(scratch.file("run")) == written)
      let patient = try resumed(EarlyStopping(.loss, patience: 4, change: 10))
      #expect(patient.epochs == 5 && patient.stopped != nil)
      // With another measure, the count of epochs without improvement starts at 0.
      #expect(try resumed(EarlyStopping(.accuracy, patience: 100)).stopped == nil)
      let whole = try trainer(nil).run()
      #expect(try resumed(nil).weightsSHA256 == whole.weightsSHA256)
      // The run ended three times. The metrics of these last epochs have test results, those of other epochs do not.
      let tested = try RunMetrics(path: scratch.file("run") + "/metrics.jsonl").records.filter {
        $0["test_loss"] != nil
      }
      #expect(tested.compactMap { $0["epoch"]?.integer } == [3, 5, 10])
    }
  }

  private func metrics(_ path: String) throws -> String {
    try String(contentsOfFile: "\(path)/metrics.jsonl", encoding: .utf8)
      .replacing(/"(seconds|epoch_seconds|examples_per_second|loader_share)":[^,}]*/, with: "")
  }

  /// `memory` holds the values that a checkpoint stores: the number of epochs without improvement, the best value, and
  /// the last one. Setting invalid values has no effect.
  @Test func invalidMemoryIsIgnored() {
    let stopping = EarlyStopping(.loss, patience: 3)
    #expect(stopping.memory.isEmpty)
    for memory in [[2], [2, 0.5], [2, 0.5, 0.75]] as [[Double]] {
      stopping.memory = memory
      #expect(stopping.memory == memory)
    }
    for memory in [[0.5], [-1], [1e19], [1, .nan], [1, 2, 3, 4], [.infinity, 1]] as [[Double]] {
      stopping.memory = memory
      #expect(stopping.memory == [2, 0.5, 0.75])
    }
  }

  /// The message names the argument that is wrong.
  @Test func wrongArgumentsStop() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = EarlyStopping(.gradientNorm, patience: 3, target: 1)
    }
    let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(text.contains("a patience is not allowed for the gradient norm"), "\(text)")
  }

  /// Losses that are not finite are no improvement, and no best value.
  @Test func lossesThatAreNotFinite() {
    let stopping = EarlyStopping(.loss, patience: 3)
    func observe(_ loss: Double) -> TrainingRequest {
      var state = TrainingState(
        exampleCount: 1, batchSize: 1, seed: 0, randomKey: RandomKey(seed: 0), optimizer: "", configuration: [:])
      state.step = 1
      state.results.validation = SplitMetrics(loss: loss)
      return stopping.didFinishEpoch(
        TrainingProgress(
          state: state, totalSteps: 9, stepsPerEpoch: 1, epoch: 1, learningRate: 1, sessionExampleCount: 1,
          hasValidation: true, measureNames: []))
    }
    #expect(observe(.nan) == .continue && stopping.memory == [1])
    #expect(observe(0.5) == .continue && stopping.memory == [0, 0.5, 0.5])
    #expect(observe(.infinity) == .continue && stopping.memory == [1, 0.5])
    #expect(observe(0.6) == .continue && observe(0.5) != .continue && stopping.memory == [3, 0.5, 0.5])
  }
}
