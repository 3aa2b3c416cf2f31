import ApusTensor

/// How layers behave that differ between training and use.
public enum Mode: Sendable {
  /// Dropout drops, batch norm normalizes with the statistics of the batch and keeps track of them.
  case training
  /// Dropout passes everything on, batch norm uses the running statistics.
  case inference
}

/// Runs `body` in a mode. Outside of any mode layers are in inference, but stop the process in a gradient scope,
/// where that is almost always a mistake.
public func withMode<R>(_ mode: Mode, _ body: () throws -> R) rethrows -> R {
  try ModeScope.$current.withValue(mode, operation: body)
}

/// The mode of the task.
enum ModeScope {
  @TaskLocal static var current: Mode?

  /// The mode, for a layer that depends on it.
  /// - Parameter own: what the layer keeps a mode of its own in.
  static func mode(for layer: String, own: ModeSwitch) -> Mode {
    if let mode = own.mode ?? current { return mode }
    guard !isRecordingGradients else {
      fatalError(
        "\(layer): gradients are recorded, but no mode is set; write withMode(.training) { … } around the step, "
          + "or withMode(.inference) { … } to differentiate with the layer as it is used")
    }
    return .inference
  }
}
