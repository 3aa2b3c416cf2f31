import Apus
import ApusTestSupport
import Foundation
import Testing

@testable import ApusTraining

/// User-defined observers: their events, requests, and values in checkpoints.
@Suite struct ObserverTests {
  /// Records the events.
  private final class Listener: TrainingObserver {
    var events: [String] = []

    func didStart(_ progress: TrainingProgress) -> TrainingRequest { note("didStart \(progress.step)") }
    func willStartEpoch(_ progress: TrainingProgress) { events.append("willStartEpoch \(progress.epoch)") }
    func willStep(_ progress: TrainingProgress) { events.append("willStep \(progress.step) in \(progress.epoch)") }
    func didStep(_ progress: TrainingProgress) -> TrainingRequest { note("didStep \(progress.step)") }
    func willEvaluate(_ progress: TrainingProgress, _ split: DataSplit) { events.append("willEvaluate \(split)") }
    func didEvaluate(_ progress: TrainingProgress, _ split: DataSplit) -> TrainingRequest {
      note("didEvaluate \(split) \(progress.results[split] == nil ? "without" : "with") results")
    }
    func didFinishEpoch(_ progress: TrainingProgress) -> TrainingRequest { note("didFinishEpoch \(progress.epoch)") }
    func didRecord(_ progress: TrainingProgress, _ record: JSONObject) -> TrainingRequest {
      note("didRecord \(record["loss"] == nil ? "epoch" : "window")")
    }
    func willSaveCheckpoint(_ progress: TrainingProgress, path: String) {
      events.append("willSave \(FileManager.default.fileExists(atPath: path))")
    }
    func didSaveCheckpoint(_ progress: TrainingProgress, path: String) -> TrainingRequest {
      note("didSave \(FileManager.default.fileExists(atPath: path)) \(path.suffix(5))")
    }
    func didEnd(_ progress: TrainingProgress, _ end: TrainingEnd) { events.append("didEnd \(end)") }

    private func note(_ event: String) -> TrainingRequest {
      events.append(event)
      return .continue
    }
  }

  /// Makes a request after the step `step`.
  private final class Requester: TrainingObserver {
    let step: Int
    let request: TrainingRequest
    init(_ request: TrainingRequest, after step: Int) { (self.step, self.request) = (step, request) }
    func didStep(_ progress: TrainingProgress) -> TrainingRequest { progress.step == step ? request : .continue }
  }

  /// Counts the steps, and stops the run after `limit` of them.
  private final class Counter: TrainingObserver {
    let limit: Int
    var count = 0
    init(limit: Int) { self.limit = limit }

    var memory: [Double] {
      get { [Double(count)] }
      set { if newValue.count == 1, let count = Int(exactly: newValue[0]) { self.count = count } }
    }

    func didStep(_ progress: TrainingProgress) -> TrainingRequest {
      count += 1
      return count == limit ? .stop(reason: "\(limit) steps were counted") : .continue
    }
  }

  /// Stores values in checkpoints, but does not restore them.
  private final class UnrestoredObserver: TrainingObserver {
    let value: Double
    init(_ value: Double) { self.value = value }
    var memory: [Double] {
      get { [value] }
      set {}
    }
  }

  /// Records `lastStep` after each step.
  private final class Reader: TrainingObserver {
    var steps: [MeasuredStep?] = []
    let needsGradientNorm: Bool
    init(needsNorm: Bool) { needsGradientNorm = needsNorm }

    func didStep(_ progress: TrainingProgress) -> TrainingRequest {
      steps.append(progress.lastStep)
      return .continue
    }
  }

  private func trainer(_ run: SmallRun, _ observers: [any TrainingObserver]) throws -> Trainer {
    let points = try Points(count: 43)
    return Trainer(
      run.model(), Adam(learningRate: 0.02), on: points, testing: points, observers: observers, run.options)
  }

  private func checkpoints(_ path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(path)/checkpoints").sorted()
  }

  private func records(_ path: String) throws -> [JSONObject] { try RunMetrics(path: "\(path)/metrics.jsonl").records }

  @Test func eventsComeInOrder() throws {
    var run = SmallRun()
    run.options.length = .epochs(1)
    run.options.batchSize = 22
    run.options.saveEvery = 1e9
    let events = try run.inDirectory { run, _ in
      let listener = Listener()
      _ = try trainer(run, [listener]).run()
      return listener.events
    }
    #expect(
      events == [
        "didStart 0", "willSave false", "didSave true 00000", "willStartEpoch 1", "willStep 0 in 1", "didStep 1",
        "willStep 1 in 1", "didStep 2", "didRecord window", "willEvaluate test", "didEvaluate test with results",
        "didFinishEpoch 1", "didRecord epoch", "willSave false", "didSave true 00002", "didEnd finished",
      ])
  }

  /// Observers change no bit of a run, and they are notified if a run fails.
  @Test func observersOnlyLook() throws {
    let plain = try withDevice(SmallRun().device) { try SmallRun().trainer().run().weightsSHA256 }
    let listener = Listener()
    let observed = try withDevice(SmallRun().device) { try trainer(SmallRun(), [listener]).run().weightsSHA256 }
    #expect(observed == plain)
    #expect(listener.events.count { $0.hasPrefix("didStep") } == 18)
    let failing = Listener()
    try withDevice(SmallRun().device) {
      let points = try Points(count: 43)
      let run = SmallRun()
      let trainer = Trainer(run.model(), SGD(learningRate: 1e30), on: points, observers: [failing], run.options)
      #expect(throws: TrainingError.self) { try trainer.run() }
    }
    #expect(failing.events.last?.hasPrefix("didEnd failed") == true, "\(failing.events.suffix(2))")
  }

  /// A run that is stopped within an epoch is saved at that step, and resumed like an interrupted run.
  @Test func anObserverStopsARun() throws {
    let whole = try SmallRun().inDirectory { run, _ in try run.trainer().run() }
    var run = SmallRun()
    run.options.saveEvery = 1e9
    try run.inDirectory { run, path in
      let result = try trainer(run, [Requester(.stop(reason: "enough"), after: 8)]).run()
      #expect(result.stopped == "enough" && result.steps == 8 && result.interruption == nil)
      #expect(try checkpoints(path).last == "step-000000008")
      #expect(try records(path).last?["stopped"] == "enough")
      let rest = try run.trainer()
      try rest.resume { Issue.record("\($0)") }
      let second = try rest.run()
      #expect(second.stopped == nil && second.steps == 18)
      #expect(second.weightsSHA256 == whole.weightsSHA256 && second.results == whole.results)
    }
  }

  /// If observers stop a run at the end of an epoch, the record of the epoch contains the first reason.
  @Test func theEpochRecordContainsTheFirstStopReason() throws {
    try SmallRun().inDirectory { run, path in
      let observers = [Requester(.stop(reason: "first"), after: 6), Requester(.stop(reason: "second"), after: 6)]
      let result = try trainer(run, observers).run()
      #expect(result.stopped == "first" && result.epochs == 1)
      let last = try #require(try records(path).last)
      #expect(last["stopped"] == "first" && last["train_loss"]?.number == result.trainLoss)
      let accuracy = try #require(result.trainAccuracy)
      #expect(last["train_accuracy"]?.number == accuracy)
      #expect(try records(path).count { $0["stopped"] != nil } == 1)
    }
  }

  @Test func anObserverRequestsACheckpoint() throws {
    var run = SmallRun()
    run.options.saveEvery = 1e9
    run.options.retention = CheckpointRetention(last: 9)
    try run.inDirectory { run, path in
      _ = try trainer(run, [Requester(.saveCheckpoint, after: 4)]).run()
      // On a slow device, the ends of epochs add checkpoints, but not before step 6.
      #expect(try checkpoints(path).filter { $0 < "step-000000006" } == ["step-000000000", "step-000000004"])
    }
    // Without an output folder the request has no effect.
    let result = try withDevice(run.device) { try trainer(run, [Requester(.saveCheckpoint, after: 4)]).run() }
    #expect(result.steps == 18)
  }

  /// Each observer has separate state in a checkpoint, also if several observers have the same type.
  @Test func observersRememberWhatTheySaw() throws {
    try SmallRun().inDirectory { run, path in
      try trainer(run, [Counter(limit: 100), Counter(limit: 10)]).stop(after: 4)
      let (first, second) = (Counter(limit: 100), Counter(limit: 10))
      let rest = try trainer(run, [first, second])
      try rest.resume { Issue.record("\($0)") }
      #expect(rest.state.observerMemory == ["Counter": [4], "Counter 2": [4]])
      #expect(first.count == 4 && second.count == 4)
      let result = try rest.run()
      #expect(result.stopped == "10 steps were counted" && result.steps == 10)
    }
  }

  /// An observer starts from its initial state in a new run, and in a run that is resumed from a checkpoint without
  /// values of this observer.
  @Test func observersOfAnotherRunAreReset() throws {
    let stopping = EarlyStopping(.loss, patience: 100)
    try SmallRun().inDirectory { run, _ in
      _ = try trainer(run, [stopping]).run()
      let best = try #require(stopping.best)
      try withDevice(run.device) {
        var run = run
        run.options.output = nil
        run.options.length = .epochs(1)
        _ = try trainer(run, [stopping]).run()
      }
      let second = try #require(stopping.best)
      #expect(second > best && stopping.epochsWithoutImprovement == 0)
    }
    try SmallRun().inDirectory { run, _ in
      try trainer(run, []).stop(after: 2)
      let rest = try trainer(run, [stopping])
      try rest.resume { Issue.record("\($0)") }
      #expect(stopping.best == nil)
    }
  }

  /// Throws an error from `didEnd`, and counts the calls.
  private final class Failing: TrainingObserver {
    let reason: String
    var count = 0
    init(_ reason: String) { self.reason = reason }
    func didEnd(_ progress: TrainingProgress, _ end: TrainingEnd) throws(TrainingError) {
      count += 1
      throw .unmeasurable(reason: reason)
    }
  }

  /// `didEnd` is called once for each observer, also after an error. The run throws the first error.
  @Test func errorsAtTheEnd() throws {
    let observers = [Failing("first"), Failing("second")]
    withDevice(SmallRun().device) {
      _ = #expect(throws: TrainingError.unmeasurable(reason: "first")) {
        try trainer(SmallRun(), observers).run()
      }
    }
    #expect(observers.map(\.count) == [1, 1])
  }

  @Test func observerStateThatCannotBeStoredOrRestoredIsAnError() throws {
    try SmallRun().inDirectory { run, path in
      let error = #expect(throws: TrainingError.self) { try trainer(run, [UnrestoredObserver(.nan)]).run() }
      #expect(error?.description.contains("the memory of the observer UnrestoredObserver") == true, "\(error!)")
    }
    try SmallRun().inDirectory { run, _ in
      try trainer(run, [UnrestoredObserver(1)]).stop(after: 2)
      let other = try trainer(run, [UnrestoredObserver(2)])
      let error = #expect(throws: TrainingError.self) { try other.resume { Issue.record("\($0)") } }
      #expect(error?.description.contains("its memory of the observer UnrestoredObserver") == true, "\(error!)")
    }
  }

  /// Observers get the loss and the gradient norm of a step one step later, also in a resumed run.
  @Test func valuesOfStepsArriveOneStepLater() throws {
    try SmallRun().inDirectory { run, _ in
      let first = Reader(needsNorm: true)
      try trainer(run, [first]).stop(after: 8)
      #expect(first.steps.map { $0?.step } == [nil, 1, 2, 3, 4, 5, 6, 7])
      #expect(first.steps.dropFirst().allSatisfy { $0!.loss > 0 && $0!.gradientNorm! > 0 })
      let second = Reader(needsNorm: false)
      let rest = try trainer(run, [second])
      try rest.resume { Issue.record("\($0)") }
      try rest.run(until: 10)
      #expect(second.steps.map { $0?.step } == [8, 9])
      #expect(second.steps[0]?.gradientNorm != nil && second.steps[1]?.gradientNorm == nil)
    }
  }

  /// The metrics and TensorBoard's file are written by observers; a user may add another log.
  @Test func aLogOfTheUserGetsTheSameRecords() throws {
    var run = SmallRun()
    run.options.writesEvents = true
    try run.inDirectory { run, path in
      let own = try TensorBoardLog(folder: "\(path)-own")
      _ = try trainer(run, [own]).run()
      let folders = try [path + "/tensorboard", path + "-own"].map { folder in
        try FileManager.default.contentsOfDirectory(atPath: folder).map {
          try Data(contentsOf: URL(filePath: "\(folder)/\($0)")).count
        }
      }
      #expect(folders[0] == folders[1] && folders[0].count == 1 && folders[0][0] > 500, "\(folders)")
    }
  }
}
