import Apus
import ApusTestSupport
import Foundation
import Testing

@testable import ApusTraining

/// Points in three dimensions, of two classes that a plane separates.
struct Points: ExampleSource {
  let inputs: Tensor
  let targets: Tensor
  let count: Int

  init(count: Int) throws {
    var state: UInt64 = 7
    var values: [Float] = []
    var classes: [Int32] = []
    for _ in 0..<count {
      var point: [Float] = []
      for _ in 0..<3 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        point.append(Float(state >> 40) / 0x1p24 - 0.5)
      }
      values += point
      classes.append(point[0] + 2 * point[1] > 0.1 ? 1 : 0)
    }
    inputs = try eval(Tensor(values, shape: [count, 3]))
    targets = try eval(Tensor(classes))
    self.count = count
  }

  func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) {
    let indices = Tensor(numbers)
    return (inputs.gathering(indices, axis: 0), targets.gathering(indices, axis: 0))
  }
}

/// A run small enough for the reference device. It has everything that a resumed run must restore (the moments of Adam,
/// the random numbers of dropout, batch statistics, the position in a schedule), and a smaller last batch.
struct SmallRun {
  let device = ComputeDevice(backend: ReferenceDevice())
  var options = TrainingOptions(
    length: .epochs(3), batchSize: 8, seed: 5, schedule: CosineSchedule(warmup: 2), saveEvery: 0)

  func model() -> Sequential {
    withRandomKey(RunSeeds(options.seed).initialization) {
      Sequential {
        Linear(3, 6)
        BatchNorm(6)
        ReLU()
        Dropout(0.2)
        Linear(6, 2)
      }
    }
  }

  func trainer(rule: any UpdateRule = Adam(learningRate: 0.02)) throws -> Trainer {
    let points = try Points(count: 43)
    return Trainer(model(), rule, on: points, testing: points, options)
  }

  func inDirectory<R>(_ body: (SmallRun, String) throws -> R) throws -> R {
    let scratch = try ScratchDirectory()
    var run = self
    run.options.output = scratch.file("run")
    return try withDevice(device) { try body(run, scratch.file("run")) }
  }
}

/// Targets that depend linearly on the inputs: `y = [x₀ − 2 x₁, 3 x₂]`.
private struct Line: ExampleSource {
  let points: Points
  var count: Int { points.count }

  func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) {
    let inputs = points.examples(numbers).inputs
    let weights = Tensor([1, 0, -2, 0, 0, 3] as [Float], shape: [3, 2])
    return (inputs, inputs.matmul(weights))
  }
}

@Suite struct TrainerTests {
  @Test func aRegressionFindsTheLine() throws {
    try withDevice(SmallRun().device) { () throws in
      let line = Line(points: try Points(count: 40))
      let model = withRandomKey(RandomKey(seed: 1)) { Sequential { Linear(3, 2) } }
      let options = TrainingOptions(length: .epochs(40), batchSize: 8)
      let result = try Trainer(model, Adam(learningRate: 0.1), on: line, testing: line, objective: .regression, options)
        .run()
      // A regression has no accuracy.
      let loss = try #require(result.testLoss)
      #expect(loss < 1e-4 && result.testAccuracy == nil)
      // The loss of an example is the mean of its squared errors: (1² + 3²) / 2 and (2² + 0²) / 2.
      let losses = Objective.regression.losses(
        Tensor([1, 2, 3, 4] as [Float], shape: [2, 2]), Tensor([0, 5, 1, 4] as [Float], shape: [2, 2]))
      #expect(try losses.array() == [5, 2])
      #expect(try Objective.regression.losses(Tensor([3] as [Float]), Tensor([1] as [Float])).array() == [4])
    }
  }

  /// The numbers of steps and epochs do not overflow, even for a run of the largest possible length.
  @Test func theLargestLengthsDoNotOverflow() throws {
    try withDevice(SmallRun().device) { () throws in
      for length in [TrainingOptions.Length.epochs(.greatestFiniteMagnitude), .steps(.max)] {
        var run = SmallRun()
        run.options.length = length
        let trainer = try run.trainer()
        #expect(trainer.totalSteps == .max)
        #expect(trainer.progress().totalEpochs == .max / trainer.order.batchesPerEpoch + 1)
      }
    }
  }

  /// A fraction of an epoch is rounded up to whole steps. An epoch has five batches of eight examples and a smaller
  /// batch, which may be dropped.
  @Test func epochsMayBeFractions() throws {
    try withDevice(SmallRun().device) { () throws in
      for (length, dropsLast, steps) in [
        (1.5, false, 9), (1.1, false, 7), (1.2, true, 6), (1.1, true, 6), (3.0, true, 15),
      ] {
        var run = SmallRun()
        run.options.length = .epochs(length)
        run.options.dropsLast = dropsLast
        #expect(try run.trainer().totalSteps == steps, "\(length)")
      }
      var run = SmallRun()
      (run.options.length, run.options.dropsLast) = (.epochs(1.4), true)
      let result = try run.trainer().run()
      #expect(result.steps == 7 && result.epochs == 2)
    }
  }

  @Test func aRunLearnsAndIsRepeatable() throws {
    let run = SmallRun()
    try withDevice(run.device) { () throws in
      let result = try run.trainer().run()
      #expect(result.steps == 18 && result.epochs == 3)
      #expect(try #require(result.testAccuracy) > 0.7)
      #expect(try run.trainer().run().weightsSHA256 == result.weightsSHA256)
      var other = run
      other.options.seed = 6
      #expect(try other.trainer().run().weightsSHA256 != result.weightsSHA256)
    }
  }

  /// Compiled steps give the same bits as steps that build their graph, with clipped gradients, measured norms, a
  /// penalty and a smaller last batch, also in a run that is resumed.
  @Test func compiledStepsChangeNoBits() throws {
    func result(_ run: SmallRun, isCompiled: Bool, interruptedAfter steps: Int? = nil) throws -> TrainingResult {
      var options = run.options
      (options.compilesSteps, options.clipNorm) = (isCompiled, 0.5)
      func trainer(_ options: TrainingOptions) throws -> Trainer {
        let (points, model) = (try Points(count: 43), run.model())
        return Trainer(
          model, Adam(learningRate: 0.02), on: points, testing: points, penalty: Penalty(.squaredL2(1e-3), on: model),
          observers: [EarlyStopping(.gradientNorm, target: 0)], options)
      }
      guard let steps else { return try trainer(options).run() }
      var first = options
      first.length = .steps(steps)
      _ = try trainer(first).run()
      let resumed = try trainer(options)
      try resumed.resume { _ in }
      return try resumed.run()
    }
    var run = SmallRun()
    // The schedule does not depend on the length of the run: the interrupted run is shorter.
    (run.options.length, run.options.schedule) = (.epochs(12), ExponentialSchedule(gamma: 0.99))
    let expected = try withDevice(run.device) { try result(run, isCompiled: false) }
    let found = try withDevice(run.device) { try result(run, isCompiled: true) }
    #expect(found.weightsSHA256 == expected.weightsSHA256 && found.results == expected.results)
    let resumed = try run.inDirectory { run, _ in try result(run, isCompiled: true, interruptedAfter: 31) }
    #expect(resumed.weightsSHA256 == expected.weightsSHA256 && resumed.results == expected.results)
  }

  /// Each epoch reports the examples per second of this epoch alone: the times of the epochs sum to the time of all
  /// steps.
  @Test func ratesFollowTheEpoch() throws {
    try SmallRun().inDirectory { run, path in
      let result = try run.trainer().run()
      let lines = try String(contentsOfFile: "\(path)/metrics.jsonl", encoding: .utf8).split(separator: "\n")
      let records = try lines.map { try JSON(parsing: Array($0.utf8)) }
      let rates = records.compactMap { $0["examples_per_second"]?.number }
      let count = try Double(run.trainer().state.exampleCount)
      let seconds = rates.reduce(0) { $0 + count / $1 }
      let all = Double(result.steps) / (try #require(result.stepsPerSecond))
      #expect(rates.count == result.epochs && abs(seconds / all - 1) < 1e-9, "\(seconds) of \(all)")
    }
  }

  @Test func stepsReuseTheirPlan() throws {
    var run = SmallRun()
    run.options.length = .steps(200)
    run.options.batchSize = nil
    try withDevice(run.device) { () throws in
      _ = try run.trainer().run()
      // One plan computes the initial values, one the training step, and one the evaluation.
      #expect(run.device.preparedPlanCount == 3)
    }
  }

  /// A run that is stopped, and resumed in a new trainer, ends with the same bits, whatever the number of steps before
  /// the stop.
  @Test func resumingGivesTheSameBits() throws {
    let whole = try SmallRun().inDirectory { run, path in try Outcome(try run.trainer().run(), path) }
    for stop in [1, 5, 6, 7, 17] {
      let outcome = try SmallRun().inDirectory { run, path in try resumed(run, path, after: stop) }
      #expect(outcome == whole, "stopped after \(stop) steps")
    }
  }

  /// The results that an uninterrupted run and a resumed run have in common.
  private struct Outcome: Equatable {
    let weights: String
    let losses: [Double?]
    let metrics: String

    init(_ result: TrainingResult, _ path: String) throws {
      weights = result.weightsSHA256
      losses = [result.trainLoss, result.testLoss]
      metrics = TrainerTests.withoutSeconds(try String(contentsOfFile: "\(path)/metrics.jsonl", encoding: .utf8))
    }
  }

  private func resumed(_ run: SmallRun, _ path: String, after stop: Int) throws -> Outcome {
    var first = run
    first.options.length = .steps(18)
    try first.trainer().stop(after: stop)
    let second = try run.trainer()
    try second.resume { Issue.record("\($0)") }
    #expect(second.state.step == stop)
    return try Outcome(try second.run(), path)
  }

  /// Resuming also restores the loss scale and the counts of overflows.
  @Test func resumingInMixedPrecisionGivesTheSameBits() throws {
    var run = SmallRun()
    run.options.precision = .mixed
    let whole = try run.inDirectory { run, _ in try run.trainer().run() }
    #expect(try SmallRun().inDirectory { run, _ in try run.trainer().run() }.weightsSHA256 != whole.weightsSHA256)
    #expect(try #require(whole.testAccuracy) > 0.7)
    for stop in [1, 7] {
      try run.inDirectory { run, path in
        try run.trainer().stop(after: stop)
        let second = try run.trainer()
        try second.resume { Issue.record("\($0)") }
        #expect(try second.run().weightsSHA256 == whole.weightsSHA256)
        var other = run
        other.options.precision = .float32
        let third = try other.trainer()
        #expect(throws: TrainingError.self) { try third.resume { Issue.record("\($0)") } }
      }
    }
  }

  /// Resuming a finished run takes no step and returns the stored results.
  @Test func resumingAFinishedRunReturnsItsResults() throws {
    try SmallRun().inDirectory { run, _ in
      let result = try run.trainer().run()
      let again = try run.trainer()
      try again.resume { Issue.record("\($0)") }
      let second = try again.run()
      #expect(second.weightsSHA256 == result.weightsSHA256 && second.testAccuracy == result.testAccuracy)
      #expect(second.stepsPerSecond == nil)
    }
  }

  @Test func aRunDoesNotOverwriteAnother() throws {
    try SmallRun().inDirectory { run, path in
      _ = try run.trainer().run()
      let error = #expect(throws: TrainingError.self) { try run.trainer().run() }
      #expect(error == .occupied(path: path))
    }
  }

  @Test func onlyOneTrainerWritesToARun() throws {
    try SmallRun().inDirectory { run, path in
      let first = try run.trainer()
      try first.run(until: 2)
      let error = #expect(throws: TrainingError.self) { try run.trainer().resume { _ in } }
      #expect(error == .inUse(path: path, process: Int(getpid())))
      #expect(error?.description.contains("process \(getpid()) is writing to this run") == true)
      #expect(first.state.step == 2)
      first.runFolder = nil
      let second = try run.trainer()
      try second.resume { Issue.record("\($0)") }
      _ = try second.run()
      // A finished run releases the folder.
      let third = try run.trainer()
      try third.resume { Issue.record("\($0)") }
      #expect(third.state.step == 18 && second.state.step == 18)
    }
  }

  @Test func aFolderThatVanishesEndsTheRun() throws {
    try SmallRun().inDirectory { run, path in
      var run = run
      run.options.onRecord = { record in
        if record["train_loss"] != nil { try? FileManager.default.removeItem(atPath: path) }
      }
      let error = #expect(throws: TrainingError.self) { try run.trainer().run() }
      guard case .inputOutput(let file, _, let reason)? = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(file.hasPrefix(path) && reason.contains("removed"), "\(reason)")
      #expect(!FileManager.default.fileExists(atPath: path))
    }
  }

  /// A run cannot be resumed with another batch size, seed or optimizer, or with a length of fewer steps than it has
  /// done.
  @Test func resumingWithOtherSettingsIsRefused() throws {
    try SmallRun().inDirectory { run, _ in
      _ = try run.trainer().run()
      func refusal(_ change: (inout SmallRun) -> Void, _ rule: any UpdateRule = Adam(learningRate: 0.02)) throws {
        var other = run
        change(&other)
        let trainer = try other.trainer(rule: rule)
        #expect(throws: TrainingError.self) { try trainer.resume { Issue.record("\($0)") } }
      }
      try refusal { $0.options.batchSize = 9 }
      try refusal { $0.options.seed = 1 }
      try refusal { $0.options.length = .steps(3) }
      try refusal({ _ in }, SGD(learningRate: 0.1))
    }
  }

  @Test func aLossThatIsNotFiniteEndsTheRun() throws {
    try SmallRun().inDirectory { run, _ in
      let trainer = try run.trainer(rule: SGD(learningRate: 1e30))
      let error = #expect(throws: TrainingError.self) { try trainer.run() }
      guard case .diverged = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
  }

  /// `onRecord` receives the records that are written to `metrics.jsonl`.
  @Test func onRecordReceivesTheRecords() throws {
    try SmallRun().inDirectory { run, path in
      let records = Records()
      var run = run
      run.options.onRecord = { records.append($0) }
      _ = try run.trainer().run()
      let lines = try String(contentsOfFile: "\(path)/metrics.jsonl", encoding: .utf8).split(separator: "\n")
      #expect(lines.map(String.init) == records.values.map { JSON.object($0).text() })
      #expect(records.values.filter { $0["test_accuracy"] != nil }.compactMap { $0["epoch"]?.integer } == [1, 2, 3])
    }
  }

  /// A schedule that depends on the loss gets the validation loss or, without validation examples, the training loss,
  /// but never the test loss.
  @Test(arguments: [false, true]) func schedulesNeverUseTestExamples(hasValidation: Bool) throws {
    let (records, seen) = (Records(), Records())
    var run = SmallRun()
    run.options.schedule = Listener(seen: seen)
    run.options.onRecord = { records.append($0) }
    try withDevice(run.device) {
      let trainer = Trainer(
        run.model(), Adam(learningRate: 0.02), on: try Points(count: 43), testing: try Points(count: 11),
        validating: hasValidation ? try Points(count: 17) : nil, run.options)
      _ = try trainer.run()
    }
    let key = hasValidation ? "validation_loss" : "train_loss"
    let losses = records.values.compactMap { $0[key]?.number }
    #expect(losses.count == 3 && seen.values.compactMap { $0["metric"]?.number } == losses)
  }

  /// A schedule that depends on the accuracy needs validation examples.
  @Test func schedulesByAccuracyNeedValidationExamples() throws {
    var run = SmallRun()
    run.options.schedule = ReduceOnPlateau(prefersLarger: true)
    try withDevice(run.device) {
      let points = try Points(count: 43)
      let (model, rule) = (run.model(), Adam(learningRate: 0.02))
      let error = #expect(throws: TrainingError.self) {
        try Trainer(model, rule, on: points, testing: points, run.options).run()
      }
      #expect("\(error!)".contains("the accuracy of validation examples"), "\(error!)")
      _ = try Trainer(model, rule, on: points, validating: points, run.options).run()
    }
  }

  /// The metrics without the fields that depend on time.
  private static func withoutSeconds(_ metrics: String) -> String {
    metrics.replacing(/"(seconds|epoch_seconds|examples_per_second|loader_share)":[^,}]*/, with: "")
  }
}

/// A schedule that records the metrics it receives.
private struct Listener: MetricSchedule {
  static let name = "listener"
  let seen: Records
  let prefersLarger = false
  var memory: [Double] = []

  func factor(step: Int, of total: Int) -> Double { 1 }
  mutating func observe(_ metric: Double) { seen.append(["metric": .number(metric)]) }
}

private final class Records: @unchecked Sendable {
  private let lock = NSLock()
  private var stored: [JSONObject] = []
  var values: [JSONObject] { lock.withLock { stored } }
  func append(_ record: JSONObject) { lock.withLock { stored.append(record) } }
}

/// Batches that threads prepare in advance (prefetching).
@Suite struct PrefetchingTests {
  /// A source whose third batch cannot be read.
  private struct Broken: ExampleSource {
    let count = 40

    func examples(_ numbers: [Int32]) throws(DataError) -> (inputs: Tensor, targets: Tensor) {
      if numbers.contains(20) { throw .inputOutput(path: "points", operation: "read", reason: "it is gone") }
      return (Tensor(numbers) * 2, Tensor(numbers))
    }
  }

  @Test func batchesAreInOrderForAnyNumberOfThreads() throws {
    for device in TestDevice.all {
      try withDevice(device.reopened()) { () throws in
        let points = try Points(count: 50)
        let numbers: [Int32] = (0..<50).map { Int32($0 * 11 % 50) }
        let batches = (0..<10).map { Array(numbers[5 * $0..<5 * $0 + 5]) }
        for threads in [1, 3] {
          var pass = points.prefetched(threads: threads).pass(over: batches, from: 2, epoch: 0)
          var count = 0
          while let (inputs, targets) = try pass.next() {
            let expected = points.examples(batches[2 + count])
            #expect(try inputs.isEvaluated && inputs.array() == expected.inputs.array(), "\(device.name)")
            #expect(try targets.array() == expected.targets.array())
            count += 1
          }
          #expect(count == 8)
        }
      }
    }
  }

  /// The error of a batch is thrown when this batch is read. Later batches can still be read.
  @Test func errorsComeInTheirTurn() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let batches = (0..<4).map { (index: Int32) -> [Int32] in Array(index * 10..<index * 10 + 10) }
      var pass = Broken().prefetched(threads: 2).pass(over: batches, from: 0, epoch: nil)
      #expect(try pass.next()?.inputs.array(of: Int.self).last == 18)
      #expect(try pass.next()?.targets.array(of: Int.self).first == 10)
      #expect(throws: DataError.self) { try pass.next() }
      #expect(try pass.next()?.targets.array(of: Int.self).first == 30)
      #expect(try pass.next() == nil)
      // A pass may be deallocated before all of its batches are read.
      var first = Broken().prefetched(threads: 2, batchesAhead: 1).pass(over: batches, from: 0, epoch: nil)
      #expect(try first.next() != nil)
    }
  }
}
