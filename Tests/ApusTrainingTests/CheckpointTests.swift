import Apus
import ApusTestSupport
import Foundation
import Testing

@Suite struct CheckpointTests {
  private func checkpoints(_ path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(path)/checkpoints").sorted()
  }

  private func flip(_ path: String, at place: Double) throws {
    var bytes = try Data(contentsOf: URL(filePath: path))
    bytes[Int(Double(bytes.count - 1) * place)] ^= 4
    try bytes.write(to: URL(filePath: path))
  }

  @Test func theLastTwoAreKept() throws {
    try SmallRun().inDirectory { run, path in
      _ = try run.trainer().run()
      #expect(try checkpoints(path) == ["step-000000017", "step-000000018"])
    }
  }

  @Test func damagedCheckpointsArePassedOver() throws {
    let whole = try SmallRun().inDirectory { run, _ in try run.trainer().run() }
    for (file, place) in [
      ("weights.safetensors", 0.9), ("weights.safetensors", 0.01), ("optimizer.safetensors", 0.5), ("state.json", 0.3),
      ("state.json", 0.9),
    ] {
      try SmallRun().inDirectory { run, path in
        try run.trainer().stop(after: 9)
        try flip("\(path)/checkpoints/step-000000009/\(file)", at: place)
        let trainer = try run.trainer()
        var warnings: [String] = []
        try trainer.resume { warnings.append($0) }
        #expect(warnings.count == 1 && warnings[0].contains(file), "\(warnings)")
        #expect(trainer.state.step == 8)
        #expect(try trainer.run().weightsSHA256 == whole.weightsSHA256)
        #expect(try checkpoints(path) == ["step-000000017", "step-000000018"])
      }
    }
  }

  /// A configuration that could not be read back is refused at the first checkpoint, not at the end of the run.
  @Test func configurationsNestedTooDeepAreRefused() throws {
    var run = SmallRun()
    var value: JSON = "core"
    for _ in 0..<40 { value = .array([value]) }
    run.options.configuration = ["deep": value]
    try run.inDirectory { run, path throws in
      let error = #expect(throws: TrainingError.self) { try run.trainer().run() }
      let isNamed = if case .unstorable(_, let reason)? = error { reason.contains("nested deeper than") } else { false }
      #expect(isNamed, "\(String(describing: error))")
      let names = try checkpoints(path)
      #expect(!names.contains { $0.hasPrefix("step") })
    }
  }

  @Test func incompleteCheckpointsAreIgnored() throws {
    try SmallRun().inDirectory { run, path in
      try run.trainer().stop(after: 4)
      let manager = FileManager.default
      try manager.copyItem(
        atPath: "\(path)/checkpoints/step-000000004", toPath: "\(path)/checkpoints/.step-000000005.new")
      let trainer = try run.trainer()
      try trainer.resume { Issue.record("\($0)") }
      #expect(trainer.state.step == 4)
      _ = try trainer.run()
      #expect(try checkpoints(path).count == 2)
    }
  }

  /// Without a valid checkpoint, a run is not resumed, and a new run does not overwrite its folder.
  @Test func withoutAValidCheckpointNothingIsOverwritten() throws {
    try SmallRun().inDirectory { run, path in
      #expect(throws: TrainingError.noCheckpoint(path: "\(path)/checkpoints", damaged: [])) {
        try run.trainer().resume { _ in }
      }
      try run.trainer().stop(after: 2)
      for name in try checkpoints(path) { try flip("\(path)/checkpoints/\(name)/weights.safetensors", at: 0.8) }
      let error = #expect(throws: TrainingError.self) { try run.trainer().resume { _ in } }
      guard case .noCheckpoint(_, let damaged) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(damaged.count == 2)
      #expect(throws: TrainingError.occupied(path: path)) { try run.trainer().run() }
    }
  }

  @Test func mutationsOfTheStateAreDetected() throws {
    try SmallRun().inDirectory { run, path in
      try run.trainer().stop(after: 1)
      let name = "\(path)/checkpoints/step-000000001/state.json"
      let good = try Data(contentsOf: URL(filePath: name))
      let state = try Checkpoint(path: "\(path)/checkpoints/step-000000001").state
      for mutation in Mutations(of: [Array(good)], count: 300) {
        try Data(mutation).write(to: URL(filePath: name))
        // The file is refused, or the mutation, such as an added space, does not change the state.
        if let found = try? Checkpoint(path: "\(path)/checkpoints/step-000000001").state { #expect(found == state) }
      }
    }
  }

  @Test func missingAndForeignTensorsAreNamed() throws {
    try SmallRun().inDirectory { run, path in
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      let file = "\(path)/w.safetensors"
      let model = run.model()
      try model.state.save(to: file)
      let before = try model.state.sha256()
      let wider = Sequential { Linear(3, 7) }
      let error = #expect(throws: TrainingError.self) { try wider.state.load(from: file) }
      let problems = error?.description ?? ""
      #expect(problems.contains("the model has no") && problems.contains("of shape") && problems.contains("; "))
      let longer = Sequential {
        model
        Linear(2, 2)
      }
      #expect(throws: TrainingError.self) { try longer.state.load(from: file) }
      let other = Sequential {
        Linear(3, 6)
        BatchNorm(6)
        ReLU()
        Dropout(0.2)
        Linear(6, 3)
      }
      let misfit = #expect(throws: TrainingError.self) { try other.state.load(from: file) }
      #expect(misfit?.description.contains("\"4.weight\"") == true)
      #expect(try model.state.sha256() == before)
    }
  }

  /// The digest covers the bytes of the tensors, in the order of their sorted keys.
  @Test func theDigestOfKnownWeights() throws {
    try withDevice(SmallRun().device) { () throws in
      let model = Sequential { Linear(2, 1, initializer: .ones, biasInitializer: .zeros) }
      // SHA-256 of the bias 0, then the weights 1 and 1: 00000000 0000803f 0000803f.
      #expect(
        try model.state.sha256() == "5fafa145b8645f3be1ca21f9b863c67adba53cfbf80bd2c62cf78f2967056cfe")
    }
  }
}
