import Apus
import ApusFiles

/// Weights from a safetensors file, a checkpoint or a run, for a model that starts from them.
struct PretrainedWeights {
  /// The safetensors file.
  let path: String

  init(path: String) throws {
    if FileSystem.isDirectory(path) {
      self.path = try Checkpoint.find(path, warn: Diagnostics.write).weightsPath
    } else {
      self.path = path
    }
  }

  /// Takes over all parameters and statistics.
  /// - Parameter replacesHead: leaves the last layer that has parameters as it is; it may have another size.
  func load(into model: Sequential, replacesHead: Bool) throws {
    let head = replacesHead ? model.layers.lastIndex { !$0.parameters.isEmpty } : nil
    let prefix = head.map { "\($0)." }
    try model.state.load(from: path) { key in prefix.map { key.hasPrefix($0) } ?? false }
  }
}
