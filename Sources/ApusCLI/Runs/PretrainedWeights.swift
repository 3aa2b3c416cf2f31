import Apus
import ApusFiles

/// Weights from a safetensors file, a checkpoint or a run, for a model that starts from them.
struct PretrainedWeights {
  /// The safetensors file.
  let path: String
  /// What the weights were found in, unless they are a file alone.
  let checkpoint: Checkpoint?

  init(path: String) throws {
    checkpoint = FileSystem.isDirectory(path) ? try Checkpoint.find(path, warn: Diagnostics.write) : nil
    self.path = checkpoint?.weightsPath ?? path
  }

  /// Takes over all parameters and statistics.
  /// - Parameter replacesHead: leaves the last layer that has parameters as it is; it may have another size.
  func load(into model: any Layer, replacesHead: Bool) throws {
    let head = replacesHead ? model.headKey.map { "\($0)." } : nil
    try model.state.load(from: path) { key in head.map { key.hasPrefix($0) } ?? false }
  }
}

extension Module {
  /// The key of the last part that has parameters.
  fileprivate var headKey: String? {
    for case .module(let key, let module) in members.reversed() where !module.parameters.isEmpty { return key }
    return nil
  }
}
