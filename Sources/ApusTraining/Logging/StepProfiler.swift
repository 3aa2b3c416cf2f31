import ApusTensor

/// Records the kernels of at most `TrainingOptions.profiledSteps` training steps of a session (one call of
/// `Trainer.run()`). It leaves out the first two steps, which build kernels, and all evaluations.
final class StepProfiler: TrainingObserver {
  private let device: ComputeDevice
  private let report: (Profile) -> Void
  private var firstStep = 0
  /// The records of a profile that has begun and not ended.
  private var records: [StepRecord]?
  /// Whether the device is recording its work for this profile.
  private var isRecording = false

  /// - Parameter report: receives the profile.
  init(_ device: ComputeDevice, report: @escaping (Profile) -> Void) {
    self.device = device
    self.report = report
  }

  func didStart(_ progress: TrainingProgress) -> TrainingRequest {
    firstStep = progress.step
    return .continue
  }

  func willStep(_ progress: TrainingProgress) throws(TrainingError) {
    let step = progress.step - firstStep
    if step == 2 {
      try start()
      records = []
    }
    if step == 2 + TrainingOptions.profiledSteps { try finish() }
  }

  func willEvaluate(_ progress: TrainingProgress, _ split: DataSplit) throws(TrainingError) { try pause() }

  func didEvaluate(_ progress: TrainingProgress, _ split: DataSplit) throws(TrainingError) -> TrainingRequest {
    if records != nil { try start() }
    return .continue
  }

  func didEnd(_ progress: TrainingProgress, _ end: TrainingEnd) throws(TrainingError) {
    guard case .failed = end else { return try finish() }
    // A failed run has no profile. But recording must stop, because other code uses the device too.
    if isRecording { _ = try? device.finishProfile() }
    isRecording = false
  }

  private func start() throws(TrainingError) {
    try reportingTraining { try device.startProfile() }
    isRecording = true
  }

  private func pause() throws(TrainingError) {
    guard isRecording else { return }
    isRecording = false
    records! += try reportingTraining { try device.finishProfile() }
  }

  private func finish() throws(TrainingError) {
    try pause()
    guard let found = records else { return }
    records = nil
    report(Profile(of: device, found))
  }
}
