import Apus
import ApusTestSupport
import Testing

@testable import ApusTraining

/// If the loss or a weight becomes NaN or infinite, the run stops, and its last checkpoint is valid.
@Suite struct AnomalyTests {
  /// The examples of `Points`, but all inputs of one batch are NaN.
  private final class Spoiled: ExampleSource, @unchecked Sendable {
    let points: Points
    /// The number of batches that are left before the spoiled one.
    var rest: Int
    var count: Int { points.count }

    init(after rest: Int) throws {
      points = try Points(count: 43)
      self.rest = rest
    }

    func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) {
      rest -= 1
      let (inputs, targets) = points.examples(numbers)
      return (rest == -1 ? inputs * .nan : inputs, targets)
    }
  }

  private func trainer(_ run: SmallRun, _ source: some ExampleSource, rate: Double = 0.02) -> Trainer {
    Trainer(run.model(), SGD(learningRate: rate, momentum: 0.9), on: source, run.options)
  }

  @Test(arguments: [0, 3, 10]) func aBrokenLossStopsTheRunAndTheCheckpointBeforeIsGood(batch: Int) throws {
    try SmallRun().inDirectory { run, path -> Void in
      #expect(throws: TrainingError.self) { try trainer(run, Spoiled(after: batch)).run() }
      do {
        _ = try trainer(run, Spoiled(after: batch)).run()
      } catch TrainingError.occupied {
        // The folder has the checkpoints of the first run, so no new run starts in it.
      }
      let checkpoint = try Checkpoint.find(path) { Issue.record("\($0)") }
      #expect(checkpoint.state.step <= batch)
      let resumed = trainer(run, try Points(count: 43))
      try resumed.resume { Issue.record("\($0)") }
      let result = try resumed.run()
      var other = run
      other.options.output = nil
      #expect(try result.weightsSHA256 == trainer(other, Points(count: 43)).run().weightsSHA256)
    }
  }

  /// The error names the step whose loss is not finite.
  @Test func errorsNameTheStepOfTheLoss() throws {
    var run = SmallRun()
    run.options.saveEvery = 1000
    try withDevice(run.device) { () throws -> Void in
      let error = #expect(throws: TrainingError.self) { try trainer(run, Spoiled(after: 4)).run() }
      guard case .diverged(step: 5, let loss) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(loss.isNaN)
      #expect(error?.description.hasPrefix("the loss is nan at step 5; anomaly detection names") == true)
    }
  }

  /// The last loss is computed before the update, so it does not show whether the updated weights are finite.
  @Test func brokenWeightsAreNotKept() throws {
    try SmallRun().inDirectory { run, path -> Void in
      let points = try Points(count: 43)
      let error = #expect(throws: TrainingError.self) { try trainer(run, points, rate: 1e39).run() }
      guard case .brokenWeights(step: 1, key: "0.weight") = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      let checkpoint = try Checkpoint.find(path) { Issue.record("\($0)") }
      #expect(checkpoint.state.step == 0)
    }
  }

  @Test func theOperationAndItsLayerAreNamed() throws {
    var run = SmallRun()
    run.options.detectsAnomalies = true
    run.options.schedule = ConstantSchedule()
    try withDevice(run.device) { () throws -> Void in
      let error = #expect(throws: TrainingError.self) { try trainer(run, Points(count: 43), rate: 1e30).run() }
      guard case .anomaly(step: 2, let anomaly) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(
        anomaly.layer == "1 (BatchNorm)" && anomaly.operation == "squaredDeviations" && !anomaly.isGradient,
        "\(anomaly)")
    }
  }

  /// The first step of a session (a call of `Trainer.run()`) also records which parameters the model reads. Anomaly
  /// detection checks this step too.
  @Test func theLayerIsNamedInTheFirstStepToo() throws {
    var run = SmallRun()
    run.options.detectsAnomalies = true
    try withDevice(run.device) { () throws -> Void in
      let trainer = try trainer(run, Points(count: 43), rate: 0.1)
      let weight = trainer.model.parameters[0]
      weight.value = weight.value * 3e38
      let error = #expect(throws: TrainingError.self) { try trainer.run() }
      guard case .anomaly(step: 1, let anomaly) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(anomaly.layer == "1 (BatchNorm)", "\(anomaly)")
    }
  }

  /// An overflow that the loss scaler handles is no anomaly. This also holds for the first step of a session, which
  /// records the parameters that the model reads.
  @Test func overflowsThatTheLossScalerHandlesAreNoAnomalies() throws {
    var run = SmallRun()
    run.options.precision = .mixed
    run.options.detectsAnomalies = true
    run.options.length = .steps(1)
    try withDevice(run.device) { () throws -> Void in
      let trainer = try trainer(run, Points(count: 43), rate: 1e-3)
      for parameter in trainer.model.parameters { parameter.value = parameter.value * 30 }
      _ = try trainer.run()
      #expect(try trainer.optimizer.lossScaler?.skippedSteps.scalar() == 1)
    }
  }

  /// Anomaly detection changes the training loss by less than 10⁻⁵, and a run with it prepares at most eight plans.
  @Test func anomalyDetectionKeepsTheLoss() throws {
    var run = SmallRun()
    try withDevice(run.device) { () throws -> Void in
      let plain = try run.trainer().run()
      run.options.detectsAnomalies = true
      let plans = run.device.preparedPlanCount
      let checked = try run.trainer().run()
      // There are plans for two batch sizes, the evaluation, and the initial values.
      #expect(run.device.preparedPlanCount - plans <= 8)
      #expect(abs(checked.trainLoss! - plain.trainLoss!) < 1e-5)
    }
  }
}

/// Runs that end with an error: all updates are skipped in mixed precision, or a batch is too small.
@Suite struct FailedRunTests {
  /// The identity, with a gradient that divides by a `float16` 0.
  private struct Vanishing: Layer {
    var members: [ModuleMember] { [] }

    func callAsFunction(_ x: Tensor) -> Tensor {
      withGradient([x.cast(to: .float32)]) { gradient, inputs, _ in
        let small = inputs[0].cast(to: .float16).squared() * 0
        return [gradient / small]
      } function: {
        $0[0] * 1
      }
    }
  }

  /// A run that skips 20 updates in a row ends with an error, which names the operation.
  @Test func twentySkippedUpdatesEndTheRun() throws {
    var run = SmallRun()
    run.options.precision = .mixed
    run.options.length = .steps(60)
    try withDevice(run.device) { () throws -> Void in
      let model = withRandomKey(RandomKey(seed: 1)) {
        Sequential {
          Linear(3, 6)
          Vanishing()
          Linear(6, 2)
        }
      }
      let trainer = Trainer(model, Adam(), on: try Points(count: 43), run.options)
      let error = #expect(throws: TrainingError.self) { try trainer.run() }
      guard case .optimizer(.skippedUpdates(count: 20, let anomaly)) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(anomaly.operation == "divide" && anomaly.isGradient && anomaly.layer == "1 (Vanishing)", "\(anomaly)")
      #expect(trainer.state.step == 20)
    }
  }

  /// The last batch of an epoch may have a single example: the run ends with an error, and the process continues.
  @Test func oneExampleIsNoBatchForBatchNorm() throws {
    var run = SmallRun()
    run.options.batchSize = 6
    try withDevice(run.device) { () throws -> Void in
      let trainer = try run.trainer()
      let error = #expect(throws: TrainingError.self) { try trainer.run() }
      guard case .singleExample(step: 8, let reason) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(reason.operation == "BatchNorm" && reason.reason.contains("[1, 6]"), "\(reason)")
    }
  }
}
