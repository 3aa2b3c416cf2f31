import Apus
import ApusTestSupport
import Foundation
import Testing

@testable import ApusTraining

/// Which checkpoints of a run are kept.
@Suite struct RetentionTests {
  /// A schedule that reverses the updates after an epoch of six steps, so that the first epoch is the best.
  private struct Reversed: Schedule {
    static let name = "reversed"
    func factor(step: Int, of total: Int) -> Double { step < 6 ? 1 : -1 }
  }

  private func trainer(_ path: String, _ retention: CheckpointRetention, saveEvery: Double = 0) throws -> Trainer {
    let points = try Points(count: 43)
    let options = TrainingOptions(
      length: .epochs(3), batchSize: 8, seed: 5, schedule: Reversed(), output: path, saveEvery: saveEvery,
      retention: retention)
    let model = withRandomKey(RunSeeds(5).initialization) { Sequential { Linear(3, 2) } }
    return Trainer(model, SGD(learningRate: 0.5), on: points, validating: points, options)
  }

  private func inDirectory(_ body: (_ path: String) throws -> Void) throws {
    let scratch = try ScratchDirectory()
    try withDevice(SmallRun().device) { try body(scratch.file("run")) }
  }

  private func steps(_ path: String) throws -> [Int] {
    try CheckpointStore(run: path).names().compactMap(step).sorted()
  }

  private func step(_ name: String) -> Int? { Int(name.dropFirst("step-".count)) }

  @Test func theLastOnesAreKept() throws {
    try inDirectory { path in
      try trainer(path, CheckpointRetention(last: 3)).stop(after: 9)
      #expect(try steps(path) == [7, 8, 9])
      // A resumed run counts the checkpoints of the first session among the newest three.
      let rest = try trainer(path, CheckpointRetention(last: 3))
      try rest.resume { Issue.record("\($0)") }
      try rest.run(until: 10)
      #expect(try steps(path) == [8, 9, 10])
    }
    try inDirectory { path in
      _ = try trainer(path, CheckpointRetention(last: 1)).run()
      #expect(try steps(path) == [18])
    }
  }

  @Test(arguments: [SelectionMeasure.loss, .accuracy]) func theBestIsKept(by measure: SelectionMeasure) throws {
    try inDirectory { path in
      // `saveEvery` is longer than the run, so no step requests a checkpoint. The best epoch requests one.
      let first = try trainer(path, CheckpointRetention(last: 1, best: measure), saveEvery: 1e9)
      let result = try first.run()
      let key = "validation_\(measure.rawValue)"
      let curve = try RunMetrics(path: "\(path)/metrics.jsonl").points(key)
      let values = curve.map(\.y)
      let best = try #require(measure.prefersLarger ? values.max() : values.min())
      let step = try #require(curve.first { $0.y == best }.map { Int($0.x) })
      #expect(step < 18 && result.steps == 18, "\(values)")
      #expect(try steps(path) == [step, 18])
      let found = try Checkpoint.find(path, .best) { Issue.record("\($0)") }
      #expect(found.state.step == step && found.state.bestStep == step)
      #expect(try Checkpoint.find(path) { _ in }.state.step == 18)
      #expect(try Checkpoint.find(path, .step(step)) { _ in }.state.step == step)
      let names = try CheckpointStore(run: path).names()
      #expect(
        throws: TrainingError.checkpointNotKept(path: "\(path)/checkpoints", name: "step-000000007", kept: names)
      ) {
        try Checkpoint.find(path, .step(7)) { _ in }
      }
    }
  }

  @Test func aResumedRunKeepsItsBest() throws {
    try inDirectory { path in
      try trainer(path, CheckpointRetention(last: 1, best: .loss)).stop(after: 13)
      #expect(try steps(path) == [6, 13])
      let rest = try trainer(path, CheckpointRetention(last: 1, best: .loss))
      try rest.resume { Issue.record("\($0)") }
      _ = try rest.run()
      #expect(try steps(path) == [6, 18])
    }
  }

  /// If a run is resumed in another folder, the best checkpoint of the first folder does not count.
  @Test func aCopiedRunFindsABestOfItsOwn() throws {
    try inDirectory { path in
      try trainer(path, CheckpointRetention(last: 1, best: .loss)).stop(after: 7)
      let copy = path + "-copy"
      let rest = try trainer(copy, CheckpointRetention(last: 1, best: .loss))
      try rest.resume(from: Checkpoint.find(path) { Issue.record("\($0)") })
      #expect(rest.state.bestStep == 6)
      _ = try rest.run()
      #expect(try steps(copy) == [12, 18])
      #expect(try Checkpoint.find(copy, .best) { Issue.record("\($0)") }.state.step == 12)
    }
  }

  @Test func runsWithoutABest() throws {
    try inDirectory { path in
      _ = try trainer(path, CheckpointRetention()).run()
      #expect(try steps(path) == [17, 18])
      let error = #expect(throws: TrainingError.self) { try Checkpoint.find(path, .best) { _ in } }
      #expect(error?.description.contains("the run has no checkpoint best; it has step-000000018") == true)
    }
  }

  /// A state that an earlier version stored can be read, although it has no values of observers and no last step.
  @Test func statesOfEarlierVersionsAreRead() throws {
    try inDirectory { path in
      let trainer = try trainer(path, CheckpointRetention(best: .loss))
      try trainer.stop(after: 7)
      let json = trainer.state.json
      #expect(json["observer_memory"] != nil && json["last_step"] != nil)
      var old = json
      for key in ["observer_memory", "last_step"] { old[key] = nil }
      let state = try #require(TrainingState(old))
      #expect(state.results == trainer.state.results && state.results.validation?.accuracy != nil)
      #expect(state.bestStep == nil && state.lastStep == nil)
      #expect(try #require(TrainingState(json)) == trainer.state)
      for value in [3, [], ["a": 1], ["a": ["b"]], ["a": .array(.init(repeating: 1, count: 2000))]] as [JSON] {
        old["observer_memory"] = value
        #expect(TrainingState(old) == nil, "\(value.text().prefix(40))")
      }
    }
  }
}
