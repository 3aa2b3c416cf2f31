import ApusData
import ApusNN
import ApusSystem
import ApusTensor

/// The checkpoints of a run: `<run>/checkpoints/step-<number>`. `CheckpointRetention` determines which are kept.
public struct CheckpointStore: Sendable {
  /// The folder of the run.
  private let run: String
  /// The open folder of the run; `nil` if it is not open yet.
  private var openFolder: Folder?
  /// The names of checkpoints, oldest first: all checkpoints up to the one that `newest` returned, then the checkpoints
  /// that this store has written. Newer checkpoints that `newest` found damaged are not in the list. `save` keeps the
  /// last names of the list.
  private var history: [String] = []

  private static let name = "checkpoints"

  /// The folder of the checkpoints.
  public var folder: String { "\(run)/\(CheckpointStore.name)" }

  /// - Parameter run: the run's folder.
  public init(run: String) { (self.run, openFolder) = (run, nil) }

  /// The checkpoints of a run whose folder is open.
  package init(_ folder: Folder) { (run, openFolder) = (folder.path, folder) }

  /// Accesses the checkpoints through the open folder of the run from now on.
  mutating func open(_ run: RunFolder) { openFolder = run.folder }

  /// The folder of the checkpoints; `nil` if it does not exist.
  private func checkpoints() throws(TrainingError) -> Folder? {
    try reportingTraining {
      guard openFolder != nil || FileSystem.exists(run) else { return nil }
      let run = try openFolder ?? Folder(path: run)
      return try run.kind(of: CheckpointStore.name) == nil ? nil : run.folder(CheckpointStore.name)
    }
  }

  /// The names of the checkpoint folders, newest first, including damaged checkpoints.
  public func names() throws(TrainingError) -> [String] {
    guard let checkpoints = try checkpoints() else { return [] }
    return try reportingTraining { try CheckpointStore.names(in: checkpoints) }
  }

  private static func names(in checkpoints: Folder) throws(FileError) -> [String] {
    try checkpoints.entries().filter { step(of: $0) != nil }.sortedArray { step(of: $0)! > step(of: $1)! }
  }

  /// The step in a checkpoint's name; `nil` unless the name is exactly what `name(of:)` returns.
  private static func step(of entry: String) -> Int? {
    guard entry.hasPrefix("step-"), let step = Int(entry.dropFirst(5)), name(of: step) == entry else { return nil }
    return step
  }

  private static func name(of step: Int) -> String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 9 - digits.count)) + digits
  }

  /// The path of the checkpoint of a step, whether it exists or not.
  func path(of step: Int) -> String { "\(folder)/\(CheckpointStore.name(of: step))" }

  /// Whether there is a checkpoint of a step.
  func contains(step: Int) throws(TrainingError) -> Bool { try names().contains(CheckpointStore.name(of: step)) }

  /// Reads the last, the best or a given checkpoint of the run.
  ///
  /// - Parameter warn: receives a message for each damaged checkpoint that is newer than the newest undamaged one; not
  ///   called for `.step`.
  /// - Throws: `TrainingError.checkpointNotKept` when the run has checkpoints, but not the chosen one.
  public mutating func find(_ choice: CheckpointChoice, warn: (String) -> Void) throws(TrainingError) -> Checkpoint {
    switch choice {
    case .last: return try newest(warn: warn)
    case .best:
      // The newest undamaged checkpoint says which step is the best.
      var state = try newest(warn: warn).state
      while let step = state.bestStep {
        do throws(TrainingError) {
          return try checkpoint(of: step)
        } catch {
          // A run in progress may have found a better epoch in the meantime, and removed this checkpoint.
          let before = state
          state = try newest(warn: warn).state
          guard state.step > before.step else { throw error }
        }
      }
      throw .checkpointNotKept(path: folder, name: "best", kept: try names())
    case .step(let step): return try checkpoint(of: step)
    }
  }

  private func checkpoint(of step: Int) throws(TrainingError) -> Checkpoint {
    let (name, known) = (CheckpointStore.name(of: step), try names())
    guard let checkpoints = try checkpoints(), !known.isEmpty else { throw .noCheckpoint(path: folder, damaged: []) }
    guard known.contains(name) else { throw .checkpointNotKept(path: folder, name: name, kept: known) }
    return try CheckpointStore.checkpoint(name, in: checkpoints)
  }

  /// The newest undamaged checkpoint.
  ///
  /// - Parameter warn: receives a message, with the reason, for each damaged checkpoint that is newer than the returned
  ///   one.
  /// - Throws: `TrainingError.noCheckpoint` when there is no undamaged checkpoint.
  public mutating func newest(warn: (String) -> Void) throws(TrainingError) -> Checkpoint {
    guard let checkpoints = try checkpoints() else { throw .noCheckpoint(path: folder, damaged: []) }
    var names = try names()
    for attempt in 0... {
      var damaged: [String] = []
      for (position, name) in names.enumerated() {
        do throws(TrainingError) {
          let checkpoint = try CheckpointStore.checkpoint(name, in: checkpoints)
          for message in damaged { warn(message + "; continuing from the previous checkpoint") }
          history = names[position...].reversed()
          return checkpoint
        } catch {
          damaged.append(error.description)
        }
      }
      // A run in progress may have removed checkpoints while they were read.
      let before = names
      names = try self.names()
      guard names != before, attempt < 10 else { throw .noCheckpoint(path: folder, damaged: damaged) }
    }
    fatalError("unreachable: the last attempt returns or throws")
  }

  private static func checkpoint(_ name: String, in checkpoints: Folder) throws(TrainingError) -> Checkpoint {
    let checkpoint = try Checkpoint(reportingTraining { try checkpoints.folder(name) })
    guard checkpoint.state.step == step(of: name) else {
      throw .damaged(path: checkpoint.path, reason: "it contains step \(checkpoint.state.step)")
    }
    return checkpoint
  }

  /// Writes a checkpoint under a temporary name, flushes it and renames it. Then removes the checkpoints that are not
  /// kept.
  /// - Parameters:
  ///   - average: a moving average of the model's values; `nil` for none.
  ///   - run: the folder of the run, which this process has locked.
  ///   - count: how many of the newest checkpoints are kept.
  ///   - best: the step of the best epoch, whose checkpoint is also kept; `nil` for none.
  mutating func save(
    _ state: TrainingState, model: ModelState, optimizer: Optimizer, average: LookaheadAverage? = nil,
    to run: RunFolder, keeping count: Int = 2, and best: Int? = nil
  ) throws(TrainingError) {
    let name = CheckpointStore.name(of: state.step)
    let temporary = ".\(name).new"
    let checkpoints = try reportingTraining {
      let checkpoints = try run.folder.folder(creating: CheckpointStore.name)
      try checkpoints.remove(temporary)
      do {
        let folder = try checkpoints.folder(creating: temporary)
        try CheckpointStore.write(state, model, optimizer.state + (average?.state ?? []), to: folder)
        try folder.flush()
      } catch {
        try? checkpoints.remove(temporary)
        throw error
      }
      // Only a damaged checkpoint can have this name: a valid one is not written twice.
      try checkpoints.remove(name)
      try checkpoints.move(temporary, to: name)
      try checkpoints.flush()
      return checkpoints
    }
    history = (history.filter { $0 != name } + [name]).suffix(max(1, count))
    try prune(checkpoints, keeping: Set(history).union(best.map { [CheckpointStore.name(of: $0)] } ?? []))
  }

  /// - Parameter kept: the state of the optimizer and the averages of the model's values.
  private static func write(
    _ state: TrainingState, _ model: ModelState, _ kept: [(key: String, value: Tensor)], to folder: Folder
  ) throws {
    let weights = try model.stored()
    // A finite loss does not imply that the update of the step left the weights finite.
    if let broken = weights.first(where: { !$0.isFinite }) {
      throw TrainingError.brokenWeights(step: state.step, key: broken.name)
    }
    try eval(kept.map(\.value))
    let optimizerTensors = try kept.map { try Safetensors.StoredTensor(name: $0.key, $0.value) }
    let weightsDigest = try Safetensors.write(weights, in: folder, name: Checkpoint.weightsName)
    let optimizerDigest = try Safetensors.write(optimizerTensors, in: folder, name: Checkpoint.optimizerName)
    var members = state.json
    members["format"] = .integer(Checkpoint.format)
    members["files"] = [
      Checkpoint.weightsName: .string(weightsDigest), Checkpoint.optimizerName: .string(optimizerDigest),
    ]
    members["weights_sha256"] = .string(ModelState.sha256(of: weights))
    // JSON has no NaN and no infinities; `text()` writes them as null. So the digest is computed from the text read
    // back.
    let text = JSON.object(members).text()
    let readable: JSON
    do throws(JSONError) {
      readable = try JSON(parsing: Array(text.utf8))
    } catch {
      throw TrainingError.unstorable(
        path: folder.path, reason: "the configuration cannot be read back: \(error.reason)")
    }
    members["sha256"] = .string(Checkpoint.digest(of: readable.object ?? [:]))
    let bytes = Array((JSON.object(members).text(indented: true) + "\n").utf8)
    try AtomicFile.write(bytes, in: folder, name: Checkpoint.stateName)
  }

  /// Removes temporary folders of interrupted runs, and all checkpoints but those with the given names.
  private func prune(_ checkpoints: Folder, keeping names: Set<String>) throws(TrainingError) {
    try reportingTraining {
      for entry in try checkpoints.entries() {
        let isLeftover = entry.hasPrefix(".step-") && entry.hasSuffix(".new")
        let isOld = CheckpointStore.step(of: entry) != nil && !names.contains(entry)
        if isLeftover || isOld { try checkpoints.remove(entry) }
      }
    }
  }
}

extension Checkpoint {
  /// Reads the checkpoint in the folder `path` or, if this is the folder of a run, the chosen checkpoint of the run: by
  /// default the newest undamaged one.
  public static func find(
    _ path: String, _ choice: CheckpointChoice = .last, warn: (String) -> Void
  ) throws(TrainingError) -> Checkpoint {
    try find(reportingTraining { try Folder(path: path) }, choice, warn: warn)
  }

  /// Reads the checkpoint in `folder` or, if this is the folder of a run, the chosen checkpoint of the run: by default
  /// the newest undamaged one.
  package static func find(
    _ folder: Folder, _ choice: CheckpointChoice = .last, warn: (String) -> Void
  ) throws(TrainingError) -> Checkpoint {
    if try isCheckpoint(folder) { return try Checkpoint(folder) }
    var store = CheckpointStore(folder)
    return try store.find(choice, warn: warn)
  }

  /// Whether a folder is a checkpoint, not a run.
  package static func isCheckpoint(_ folder: Folder) throws(TrainingError) -> Bool {
    try reportingTraining { try folder.kind(of: stateName) != nil }
  }
}
