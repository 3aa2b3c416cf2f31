import ApusData
import ApusNN
import ApusSystem
import ApusTensor

/// A checkpoint that was read and verified.
///
/// A checkpoint is a folder:
/// ```text
/// weights.safetensors     parameters and statistics under their keys
/// optimizer.safetensors   the optimizer's state for each parameter; with a lookahead also the averages of the values
/// state.json              everything else, with the SHA-256 digests of the other files and of its own members
/// ```
/// The two `.safetensors` files stay open, so that loading reads the verified bytes even if the run removes the
/// checkpoint in the meantime. A symbolic link, a pipe or a device file in place of one of the files is an error.
public struct Checkpoint: Sendable {
  /// The folder.
  public let path: String
  /// Everything but the tensors.
  public let state: TrainingState
  private let weightsFile: FileDescriptor
  private let optimizerFile: FileDescriptor

  static let weightsName = "weights.safetensors"
  static let optimizerName = "optimizer.safetensors"
  package static let stateName = "state.json"
  static let format = 1

  /// The path of the file with the parameters and statistics.
  public var weightsPath: String { "\(path)/\(Checkpoint.weightsName)" }

  /// Reads a checkpoint's state and verifies its files against their digests.
  public init(path: String) throws(TrainingError) {
    try self.init(reportingTraining { try Folder(path: path) })
  }

  /// Reads a checkpoint's state and verifies its files against their digests.
  package init(_ folder: Folder) throws(TrainingError) {
    path = folder.path
    let name = folder.path(of: Checkpoint.stateName)
    let bytes = try reportingTraining { try folder.contents(of: Checkpoint.stateName, limit: 1 << 26) }
    var members = try Checkpoint.members(of: bytes, name)
    let digest = members["sha256"]?.string
    members["sha256"] = nil
    guard digest == Checkpoint.digest(of: members) else {
      throw .damaged(path: name, reason: "its SHA-256 digest does not match")
    }
    guard members["format"]?.integer == Checkpoint.format else {
      throw .mismatch(path: name, reason: "its format is not \(Checkpoint.format)")
    }
    guard let state = TrainingState(members) else {
      throw .damaged(path: name, reason: "values are missing or out of range")
    }
    self.state = state
    // There must be digests of the two `.safetensors` files, and no others.
    let files = members["files"]?.object ?? [:]
    guard Set(files.keys) == [Checkpoint.weightsName, Checkpoint.optimizerName] else {
      throw .damaged(
        path: name,
        reason: "it must have the digests of \(Checkpoint.weightsName) and \(Checkpoint.optimizerName), and no others"
      )
    }
    weightsFile = try Checkpoint.verified(folder, Checkpoint.weightsName, files)
    optimizerFile = try Checkpoint.verified(folder, Checkpoint.optimizerName, files)
  }

  private static func members(of bytes: [UInt8], _ name: String) throws(TrainingError) -> JSONObject {
    do throws(JSONError) {
      if let object = try JSON(parsing: bytes).object { return object }
    } catch {
      throw .damaged(path: name, reason: "\(error.reason) at byte \(error.offset)")
    }
    throw .damaged(path: name, reason: "not a JSON object")
  }

  package static func digest(of members: JSONObject) -> String {
    SHA256.hexadecimal(of: Array(JSON.object(members).text().utf8))
  }

  /// Opens a file and verifies its bytes against the digest in the state.
  private static func verified(
    _ folder: Folder, _ name: String, _ digests: JSONObject
  ) throws(TrainingError) -> FileDescriptor {
    let (file, found) = try reportingTraining {
      let file = try folder.file(reading: name)
      let count = try file.byteCount()
      var hash = SHA256()
      for offset in stride(from: 0, to: count, by: 1 << 22) {
        hash.update(try file.bytes(at: offset, count: min(1 << 22, count - offset)))
      }
      return (file, hash.hexadecimal())
    }
    guard found == digests[name]?.string else {
      throw .damaged(path: file.path, reason: "its SHA-256 digest does not match")
    }
    return file
  }

  /// Loads the parameters and statistics into a model.
  ///
  /// - Parameter isKept: returns whether the parameter or statistic with this key keeps the model's value, instead of
  ///   getting the checkpoint's.
  public func load(
    into model: any Module, device: ComputeDevice = .current,
    keeping isKept: (_ key: String) -> Bool = { _ in false }
  ) throws(TrainingError) {
    let file = try reportingTraining { try Safetensors.File(weightsFile) }
    try model.state.load(from: file, device: device, keeping: isKept)
  }

  /// Loads the state of the optimizer and, if the run has one, of the moving average of the model's values.
  func load(into optimizer: Optimizer, _ average: LookaheadAverage?, device: ComputeDevice) throws(TrainingError) {
    let file = try reportingTraining { try Safetensors.File(optimizerFile) }
    let kept = optimizer.state + (average?.state ?? [])
    let shapes = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
    guard file.header.entries.count == shapes.count else {
      throw .mismatch(path: optimizerFile.path, reason: "the state belongs to another optimizer")
    }
    func tensor(_ key: String) throws(TrainingError) -> Tensor {
      let like = shapes[key]!
      return try file.tensor(key, shape: like.shape, dtype: like.dtype, device: device)
    }
    try optimizer.restore(step: state.step, value: tensor)
    try average?.restore(value: tensor)
  }
}
