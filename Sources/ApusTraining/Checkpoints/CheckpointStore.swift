import ApusData
import ApusFiles
import ApusNN
import ApusTensor

/// The checkpoints of a run: `<run>/checkpoints/step-<number>`, of which the last two are kept.
public struct CheckpointStore: Sendable {
  /// The directory of the run.
  public let directory: String
  /// Checkpoints that were written or read here, oldest first.
  private var whole: [String] = []

  /// - Parameter run: the run's directory.
  public init(run: String) { directory = "\(run)/checkpoints" }

  /// The directories of checkpoints, newest first, whole or not.
  public func names() throws(TrainingError) -> [String] {
    guard FileSystem.isDirectory(directory) else { return [] }
    let entries = try reportingTraining { try FileSystem.entries(of: directory) }
    return entries.filter { CheckpointStore.step(of: $0) != nil }
      .sorted { CheckpointStore.step(of: $0)! > CheckpointStore.step(of: $1)! }
  }

  private static func step(of name: String) -> Int? {
    name.hasPrefix("step-") ? Int(name.dropFirst(5)) : nil
  }

  private static func name(of step: Int) -> String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 9 - digits.count)) + digits
  }

  /// The newest checkpoint that is whole.
  ///
  /// - Parameter warn: is told which newer ones are damaged, and why.
  /// - Throws: `TrainingError.noCheckpoint` when there is none.
  public mutating func newest(warn: (String) -> Void) throws(TrainingError) -> Checkpoint {
    var damaged: [String] = []
    for name in try names() {
      do throws(TrainingError) {
        let checkpoint = try Checkpoint(path: "\(directory)/\(name)")
        for message in damaged { warn(message + "; going on from the checkpoint before") }
        whole = [name]
        return checkpoint
      } catch {
        damaged.append(error.description)
      }
    }
    throw .noCheckpoint(path: directory, damaged: damaged)
  }

  /// Writes a checkpoint beside the others, flushes it, gives it its name, then removes all but the last two.
  mutating func save(
    _ state: TrainingState, model: ModelState, optimizer: Optimizer
  ) throws(TrainingError) -> Checkpoint {
    let name = CheckpointStore.name(of: state.step)
    let path = "\(directory)/\(name)"
    let temporary = "\(directory)/.\(name).new"
    try reportingTraining {
      try FileSystem.createDirectory(directory)
      try FileSystem.remove(temporary)
      try FileSystem.createDirectory(temporary)
      do {
        try CheckpointStore.write(state, model, optimizer, to: temporary)
      } catch {
        try? FileSystem.remove(temporary)
        throw error
      }
      // Only a damaged one can have the name: a whole one is not written twice.
      try FileSystem.remove(path)
      try FileSystem.move(temporary, to: path)
      try FileSystem.flushDirectory(directory)
    }
    whole = (whole.filter { $0 != name } + [name]).suffix(2)
    try prune()
    return try Checkpoint(path: path, state: state)
  }

  private static func write(
    _ state: TrainingState, _ model: ModelState, _ optimizer: Optimizer, to directory: String
  ) throws {
    let weights = try model.stored()
    // The loss of a step says nothing of what the step made of the weights.
    if let broken = weights.first(where: { !$0.isFinite }) {
      throw TrainingError.brokenWeights(step: state.step, key: broken.name)
    }
    let kept = optimizer.state
    try eval(kept.map(\.value))
    let slots = try kept.map { try Safetensors.StoredTensor(name: $0.key, $0.value) }
    let weightsDigest = try Safetensors.write(weights, to: "\(directory)/\(Checkpoint.weightsName)")
    let slotsDigest = try Safetensors.write(slots, to: "\(directory)/\(Checkpoint.optimizerName)")
    var members = state.json
    members["format"] = .integer(Checkpoint.format)
    members["files"] = [
      Checkpoint.weightsName: .string(weightsDigest), Checkpoint.optimizerName: .string(slotsDigest),
    ]
    members["weights_sha256"] = .string(ModelState.sha256(of: weights))
    // What is not finite is written as null, and reading gives null back: the digest is that of what is read.
    let text = JSON.object(members).text()
    let readable: JSON
    do throws(JSONError) {
      readable = try JSON(parsing: Array(text.utf8))
    } catch {
      throw TrainingError.unstorable(path: directory, reason: error.reason)
    }
    members["sha256"] = .string(Checkpoint.digest(of: readable.object ?? [:]))
    let bytes = Array((JSON.object(members).text(indented: true) + "\n").utf8)
    try AtomicFile.write(bytes, to: "\(directory)/\(Checkpoint.stateName)")
  }

  /// Removes what interrupted runs left, and all checkpoints but the last two whole ones.
  private func prune() throws(TrainingError) {
    try reportingTraining {
      for entry in try FileSystem.entries(of: directory) {
        let isLeftover = entry.hasPrefix(".step-") && entry.hasSuffix(".new")
        let isOld = CheckpointStore.step(of: entry) != nil && !whole.contains(entry)
        if isLeftover || isOld { try FileSystem.remove("\(directory)/\(entry)") }
      }
    }
  }
}

extension Checkpoint {
  /// A checkpoint that has just been written.
  fileprivate init(path: String, state: TrainingState) throws(TrainingError) {
    self.path = path
    self.state = state
  }

  /// The newest whole checkpoint of a run's directory, or the checkpoint that is itself named.
  public static func find(_ path: String, warn: (String) -> Void) throws(TrainingError) -> Checkpoint {
    if FileSystem.exists("\(path)/\(stateName)") { return try Checkpoint(path: path) }
    var store = CheckpointStore(run: path)
    return try store.newest(warn: warn)
  }
}
