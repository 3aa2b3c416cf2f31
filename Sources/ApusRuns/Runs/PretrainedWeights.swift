import Apus
import ApusSystem

/// Weights from a safetensors file, a checkpoint or a run, for a model that starts from them.
package struct PretrainedWeights {
  /// The safetensors file.
  package let path: String
  /// The checkpoint that contains the weights; `nil` if the file belongs to none.
  package let checkpoint: Checkpoint?

  /// Finds the weights. Checks the files of a checkpoint, or the header of another file, but reads no tensors.
  package init(path: String) throws {
    if FileSystem.isDirectory(path) {
      let found = try Checkpoint.read(path)
      (checkpoint, self.path) = (found, found.weightsPath)
    } else {
      let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
      let around = try? Checkpoint.find(folder) { _ in }
      checkpoint = around.flatMap { $0.weightsPath == path || $0.weightsPath == "./\(path)" ? $0 : nil }
      self.path = path
      if checkpoint == nil { _ = try Safetensors.File(path: path) }
    }
  }

  /// The tokenizer that the checkpoint of the weights stores. The weights fit only the token numbers of this tokenizer.
  /// If the weights do not belong to a checkpoint with a tokenizer, warns and returns `nil`.
  /// - Parameter kind: the kind of tokenizer that the settings name.
  /// - Throws: `TrainingError.mismatch` if the stored tokenizer is of another kind.
  package func tokenizer(ofKind kind: String) throws(TrainingError) -> (any Tokenizer)? {
    guard let format = checkpoint.flatMap({ DataKinds.format(in: $0.state.configuration) }) as? TextFormat else {
      Diagnostics.write(
        "\(path): the file has no tokenizer: a new one is trained, and its token numbers may differ from those of the "
          + "weights")
      return nil
    }
    let known = type(of: format.tokenizer).kind
    guard known == kind else {
      throw .mismatch(path: path, reason: "its tokenizer is of the kind \(known), the tokenizer of this run \(kind)")
    }
    return format.tokenizer
  }

  /// Loads all parameters and statistics into a model.
  /// - Parameter replacesHead: whether the last layer that has parameters keeps its initial weights instead. This layer
  ///   may then differ in size from the stored layer.
  func load(into model: any Layer, replacesHead: Bool) throws {
    let head = replacesHead ? model.headKey.map { "\($0)." } : nil
    func isKept(_ key: String) -> Bool { head.map { key.hasPrefix($0) } ?? false }
    do throws(TrainingError) {
      if let checkpoint {
        try checkpoint.load(into: model, keeping: isKept)
      } else {
        try model.state.load(from: path, keeping: isKept)
      }
    } catch {
      throw PretrainedWeights.advised(error)
    }
  }

  /// Adds advice to a mismatch. The first and the last layer of a published network often differ from the layers of the
  /// run's model.
  private static func advised(_ error: TrainingError) -> TrainingError {
    guard case .mismatch(let path, let reason) = error else { return error }
    return .mismatch(
      path: path,
      reason: reason + " (--stem imagenet is the first layer of ImageNet's networks, "
        + "--replace-head initializes the last one)")
  }
}

extension Module {
  /// The key of the last submodule that has parameters.
  fileprivate var headKey: String? {
    for case .module(let key, let module) in members.reversed() where !module.parameters.isEmpty { return key }
    return nil
  }
}
