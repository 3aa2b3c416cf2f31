import Apus
import ApusFiles

/// Weights from a safetensors file, a checkpoint or a run, for a model that starts from them.
struct PretrainedWeights {
  /// The safetensors file.
  let path: String
  /// What the weights were found in, or lie in, unless they are a file alone.
  let checkpoint: Checkpoint?

  init(path: String) throws {
    if FileSystem.isDirectory(path) {
      let found = try Checkpoint.find(path, warn: Diagnostics.write)
      (checkpoint, self.path) = (found, found.weightsPath)
    } else {
      let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
      let around = try? Checkpoint.find(directory) { _ in }
      checkpoint = around.flatMap { $0.weightsPath == path || $0.weightsPath == "./\(path)" ? $0 : nil }
      self.path = path
    }
  }

  /// The tokenizer that the weights were trained with, if they lie in a checkpoint: numbers of tokens mean nothing
  /// without it.
  /// - Parameter kind: the model's, which it has to be of.
  func tokenizer(ofKind kind: String) throws(TrainingError) -> (any Tokenizer)? {
    guard case .text(let format)? = checkpoint.flatMap({ DataFormat($0.state.configuration) }) else {
      Diagnostics.write("\(path): it tells nothing of tokens: they are numbered as the text of this run has them")
      return nil
    }
    let known = type(of: format.tokenizer).kind
    guard known == kind else {
      throw .mismatch(path: path, reason: "its tokens are of the kind \(known), those of this run are \(kind)")
    }
    return format.tokenizer
  }

  /// Takes over all parameters and statistics.
  /// - Parameter replacesHead: leaves the last layer that has parameters as it is; it may have another size.
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

  /// Weights of a published network differ from a run's in the first and in the last layer.
  private static func advised(_ error: TrainingError) -> TrainingError {
    guard case .mismatch(let path, let reason) = error else { return error }
    return .mismatch(
      path: path,
      reason: reason + " (--stem imagenet is the first layer of ImageNet's networks, --replace-head begins "
        + "the last one anew)")
  }
}

extension Module {
  /// The key of the last part that has parameters.
  fileprivate var headKey: String? {
    for case .module(let key, let module) in members.reversed() where !module.parameters.isEmpty { return key }
    return nil
  }
}
