import Apus
import ApusRuns

/// The exit codes of the command, on which scripts rely.
enum ExitCode: Int32, CaseIterable {
  case success = 0
  /// The run itself failed: it diverged or ran out of memory, an index was out of range, a kernel did not build, or
  /// devices disagree.
  case failure = 1
  /// The command line is invalid (`EX_USAGE`).
  case usage = 64
  /// Bad data or a bad model, or options that contradict data, weights or a run (`EX_DATAERR`).
  case data = 65
  /// The device is not available, was lost, or does not support what the command needs (`EX_UNAVAILABLE`).
  case device = 69
  /// A file could not be read or written (`EX_IOERR`).
  case inputOutput = 74
  case hungUp = 129
  case interrupted = 130
  case terminated = 143

  /// The exit code for an error. Exit codes of errors are defined only here.
  init(for error: any Error) {
    switch error {
    case is OptionError: self = .usage
    case let error as DataError: self.init(for: error)
    case let error as DeviceError: self.init(for: error)
    case let error as TrainingError: self.init(for: error)
    case ModelError.unknown: self = .usage
    case is ShapeError, is MeasureError, ModelError.misfit, ModelError.notFinite: self = .data
    case let error as LayerListError: self = error.kind == .grammar ? .usage : .data
    case is OutputError: self = .inputOutput
    // Shells report a signal as 128 plus its number.
    case let interruption as Interruption: self = ExitCode(rawValue: 128 + interruption.signal) ?? .interrupted
    case let error as ChildFailure: self = ExitCode(rawValue: error.status) ?? .failure
    default: self = .failure
    }
  }

  private init(for error: DataError) {
    switch error {
    case .unknownSource, .specification: self = .usage
    case .malformed, .unsupported, .tooLarge: self = .data
    case .inputOutput, .missing: self = .inputOutput
    }
  }

  private init(for error: TrainingError) {
    switch error {
    case .device(let error): self.init(for: error)
    case .data(let error): self.init(for: error)
    case .inputOutput, .inUse, .checkpointNotKept: self = .inputOutput
    case .damaged, .mismatch, .alreadyTrained, .unstorable, .untrained, .unknownParameter, .unmeasurable,
      .singleExample:
      self = .data
    case .noCheckpoint(_, let damaged): self = damaged.isEmpty ? .inputOutput : .data
    case .occupied: self = .usage
    // The initial weights were not finite; training did not cause this.
    case .brokenWeights(step: 0, _): self = .data
    case .diverged, .brokenWeights, .anomaly, .optimizer, .tooLarge: self = .failure
    }
  }

  private init(for error: DeviceError) {
    switch error {
    case .unavailable, .lost, .unsupported: self = .device
    case .outOfMemory, .buildFailed, .launchFailed, .indexOutOfRange, .notFinite: self = .failure
    }
  }

  /// The meaning of the code, for the manual page.
  var meaning: String {
    switch self {
    case .success: "Success."
    case .failure:
      "The run failed: it diverged or ran out of memory, an index was out of range, a kernel did not build, or devices "
        + "disagree."
    case .usage: "The command line is invalid, or APUS_DEVICE is not the name of a device."
    case .data: "The data or the model are invalid, or options contradict the data, the weights or a run."
    case .device:
      "The device is not available, was lost or does not support what the command needs, or a variable APUS_… that "
        + "configures devices is invalid."
    case .inputOutput: "A file could not be read or written."
    case .hungUp, .interrupted, .terminated: "The run was ended by signal \(rawValue - 128); a checkpoint was saved."
    }
  }
}
