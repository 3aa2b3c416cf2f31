import ApusTensor

/// Whether layers such as dropout and batch norm behave as in training or as in inference.
public enum Mode: Sendable {
  /// Dropout is active; batch norm normalizes with the batch statistics and updates the running statistics.
  case training
  /// Dropout passes its input through; batch norm uses the running statistics.
  case inference
}

/// Runs `body` in a mode. Without a mode, layers run in inference. If gradients are recorded, however, a layer that
/// depends on the mode stops the process, because a mode is then almost always missing by mistake.
public func withMode<R>(_ mode: Mode, _ body: () throws -> R) rethrows -> R {
  try ModeScope.$current.withValue(mode, operation: body)
}

/// The modes of the Swift task.
enum ModeScope {
  @TaskLocal static var current: Mode?
  /// The modes of single layers, which take precedence over `current`.
  @TaskLocal static var ofLayers: [ObjectIdentifier: Mode] = [:]

  /// The mode for a layer whose behavior depends on the mode.
  static func mode(for layer: String, _ identity: LayerIdentity) -> Mode {
    if let mode = ofLayers[ObjectIdentifier(identity)] ?? current { return mode }
    guard !isRecordingGradients else {
      fatalError(
        "\(layer): gradients are recorded, but no mode is set; write withMode(.training) { … } around the step, "
          + "or withMode(.inference) { … } to differentiate the layer in inference")
    }
    return .inference
  }
}
