import ApusData
import ApusFiles
import ApusNN
import ApusTensor

/// A checkpoint that has been read and found whole.
///
/// A checkpoint is a directory:
/// ```
/// weights.safetensors     parameters and statistics under their keys
/// optimizer.safetensors   what the optimizer keeps for each parameter
/// state.json              everything else, with the SHA-256 digests of the other files and of itself
/// ```
public struct Checkpoint: Sendable {
  /// The directory.
  public let path: String
  /// Everything but the tensors.
  public let state: TrainingState

  static let weightsName = "weights.safetensors"
  static let optimizerName = "optimizer.safetensors"
  static let stateName = "state.json"
  static let format = 1

  /// The file of parameters and statistics.
  public var weightsPath: String { "\(path)/\(Checkpoint.weightsName)" }
  var optimizerPath: String { "\(path)/\(Checkpoint.optimizerName)" }

  /// Reads a checkpoint's state and verifies its files against their digests.
  public init(path: String) throws(TrainingError) {
    self.path = path
    let name = "\(path)/\(Checkpoint.stateName)"
    let bytes = try reportingTraining { try FileDescriptor.contents(of: name, limit: 1 << 26) }
    var members = try Checkpoint.members(of: bytes, name)
    let digest = members["sha256"]?.string
    members["sha256"] = nil
    guard digest == Checkpoint.digest(of: members) else {
      throw .damaged(path: name, reason: "its SHA-256 digest is another one")
    }
    guard members["format"]?.integer == Checkpoint.format else {
      throw .mismatch(path: name, reason: "its format is not \(Checkpoint.format)")
    }
    guard let state = TrainingState(members) else { throw .damaged(path: name, reason: "values are missing") }
    self.state = state
    for (file, digest) in members["files"]?.object ?? [:] {
      try Checkpoint.verify("\(path)/\(file)", digest.string ?? "")
    }
  }

  private static func members(of bytes: [UInt8], _ name: String) throws(TrainingError) -> JSONObject {
    do throws(JSONError) {
      if let object = try JSON(parsing: bytes).object { return object }
    } catch {
      throw .damaged(path: name, reason: "\(error.reason) at byte \(error.offset)")
    }
    throw .damaged(path: name, reason: "not a JSON object")
  }

  static func digest(of members: JSONObject) -> String {
    SHA256.hexadecimal(of: Array(JSON.object(members).text().utf8))
  }

  private static func verify(_ path: String, _ digest: String) throws(TrainingError) {
    let found: String = try reportingTraining {
      let file = try FileDescriptor(reading: path)
      let count = try file.byteCount()
      var hash = SHA256()
      for offset in stride(from: 0, to: count, by: 1 << 22) {
        hash.update(try file.bytes(at: offset, count: min(1 << 22, count - offset)))
      }
      return hash.hexadecimal()
    }
    guard found == digest else { throw .damaged(path: path, reason: "its SHA-256 digest is another one") }
  }

  /// Takes over the parameters and statistics.
  public func load(into model: any Module, device: ComputeDevice = .current) throws(TrainingError) {
    try model.state.load(from: weightsPath, device: device)
  }

  /// Takes over what the optimizer keeps.
  func load(into optimizer: Optimizer, device: ComputeDevice) throws(TrainingError) {
    let file = try reportingTraining { try Safetensors.File(path: optimizerPath) }
    let shapes = Dictionary(uniqueKeysWithValues: optimizer.state.map { ($0.key, $0.value) })
    guard file.header.entries.count == shapes.count else {
      throw .mismatch(path: optimizerPath, reason: "the state is that of another optimizer")
    }
    try optimizer.restore(step: state.step) { key throws(TrainingError) in
      let like = shapes[key]!
      return try file.tensor(key, shape: like.shape, dtype: like.dtype, device: device)
    }
  }
}
