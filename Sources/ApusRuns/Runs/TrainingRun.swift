import Apus
import ApusSystem

/// The outcome of a run.
package struct TrainedRun {
  package let result: TrainingResult
  package let format: any DataFormat
  package let device: ComputeDevice
  /// Images that could not be read.
  package let skipped: SkippedImageReport
}

/// A run that is about to start or to resume.
package struct TrainingRun {
  package private(set) var settings: RunSettings
  package let files: RunFiles
  private let origin: Origin

  private enum Origin {
    case new
    /// The run resumes in its own folder.
    case newest(Checkpoint)
    /// A run in a new folder resumes from another run's checkpoint.
    case copy(Checkpoint)
  }

  private var isNew: Bool { if case .new = origin { true } else { false } }

  /// Prepares a new run. When this returns, the folder exists and contains the settings.
  /// - Parameter output: the folder of the run, which must not contain another run; `nil` for `runs/MODEL-N`.
  package init(_ settings: RunSettings, output: String?) throws {
    self.settings = settings
    // Errors in the settings are found before anything is created.
    _ = try DatasetDescription.find(settings.data)
    try settings.checkMeasures()
    files = try .creating(output, for: settings.model.name)
    origin = .new
    try writeFirstSettings()
  }

  /// Prepares to resume a run. The stored settings are not changed until training starts, so that a failure before then
  /// leaves the run as it is.
  /// - Parameters:
  ///   - path: the folder of a run or of a checkpoint.
  ///   - output: a new folder for a copy of the run; `nil` for the run's own.
  ///   - given: options that a resumed run may change.
  package init(resuming path: String, output: String?, _ given: Arguments) throws {
    (settings, files, origin) = try TrainingRun.resuming(path, output, given)
    try writeFirstSettings()
  }

  private func writeFirstSettings() throws {
    if try files.configuration() == nil { try files.write(settings) }
  }

  // MARK: - Resuming

  private static func resuming(
    _ path: String, _ output: String?, _ given: Arguments
  ) throws -> (RunSettings, RunFiles, Origin) {
    try RunFiles.check(path)
    let source = try RunFiles(reading: path)
    let isCheckpoint = try Checkpoint.isCheckpoint(source.folder)
    let isCopied = output != nil && output != path
    // A run or checkpoint that is copied to a new folder is only read. A run that continues in its own folder is locked
    // from here on, so that no other process resumes from the same checkpoint.
    let run = isCheckpoint || isCopied ? source : try RunFiles(locking: source.folder)
    let checkpoint: Checkpoint
    do throws(TrainingError) {
      checkpoint = try Checkpoint.find(run.folder, warn: Diagnostics.write)
    } catch {
      guard case .noCheckpoint(_, damaged: []) = error, let stored = try run.configuration() else { throw error }
      // The run was stopped before its first checkpoint.
      Diagnostics.write("\(path): no checkpoint yet: the run starts from the beginning")
      let settings = try continued(stored, given)
      try settings.checkMeasures()
      return (settings, isCopied ? try .creating(output, for: settings.model.name) : run, .new)
    }
    let stored = Configuration(
      origin: checkpoint.path, values: checkpoint.state.configuration["settings"]?.object ?? [:])
    let settings = try continued(stored, given)
    guard !isCheckpoint || output != nil else {
      throw OptionError("--resume \(path): to continue from an older checkpoint, name a new --output")
    }
    if case .number = DataKinds.format(in: checkpoint.state.configuration)?.outputs { try settings.refuseAccuracy() }
    if isCopied {
      return (settings, try .creating(output, for: settings.model.name), .copy(checkpoint))
    }
    return (settings, run, .newest(checkpoint))
  }

  /// The settings of a resumed run: the stored settings, changed by the given options. Only the options marked as
  /// `changeable` may change, such as the length of the run, the device and the checkpoints that are kept. `--data` may
  /// name another path, because tables and folders of images may have moved. `resume` later checks that the loaded data
  /// have the format of the run.
  /// - Throws: `TrainingError.mismatch` if another option has changed.
  private static func continued(_ stored: Configuration, _ given: Arguments) throws -> RunSettings {
    let old = try RunSettings(stored: stored)
    var merged = given
    try merged.fill(from: stored, RunOptions.declarations)
    let new = try RunSettings(merged)
    for option in RunOptions.all where !option.mayChange {
      let declaration = option.declaration
      if declaration.key == RunOptions.data.declaration.key, case .images = new.model.kind,
        try isSameKind(old.data, new.data)
      {
        continue
      }
      let (before, now) = (old.json[declaration.key], new.json[declaration.key])
      guard before == now else {
        throw TrainingError.mismatch(
          path: stored.origin,
          reason: "its \(declaration.key) is \(before?.text() ?? "unset"), not \(now?.text() ?? "unset")")
      }
    }
    return new
  }

  /// Whether two sources are of the same kind and both have a path, such as two tables or two folders of images. For
  /// such sources, comparing the formats shows whether the data are the same. A text is identified only by its path,
  /// which must not change.
  private static func isSameKind(_ one: String, _ other: String) throws -> Bool {
    let (one, other) = (try DatasetDescription.find(one), try DatasetDescription.find(other))
    return one.description.name == other.description.name && one.argument != nil && other.argument != nil
  }

  // MARK: - Running

  /// Trains to the end of the run, to an early stop or to a signal.
  /// - Parameters:
  ///   - device: the device; its name is stored.
  ///   - observers: observers in addition to those that the settings request.
  ///   - willStart: called after the data are loaded, before the first step.
  ///   - adapt: sets options that do not change the results, such as progress and signals.
  package mutating func run(
    on device: ComputeDevice, observers: [any TrainingObserver] = [], willStart: () throws -> Void = {},
    _ adapt: (inout TrainingOptions) -> Void
  ) throws -> TrainedRun {
    settings.device = device.name
    let (result, task) = try withDevice(device) {
      let weights = try pretrainedWeights()
      let task = try explainingMissingData(of: settings, in: isNew ? nil : files.path) {
        try LearningTask(settings, tokenizer: tokenizer(of: weights)) { format, count in
          try stateMemory(format, count, on: device)
        }
      }
      Diagnostics.write("\(settings.model.name) in \(files.path): \(task.summary)")
      let trainer = try trainer(task, from: weights, on: device, observers, adapt)
      adviseOnSteps(task.train.count)
      try resume(trainer, task.format, on: device)
      try files.write(settings)
      try willStart()
      let result = try trainer.run()
      if !isNew, result.stepsPerSecond == nil, result.interruption == nil {
        Diagnostics.write(
          result.stopped == nil
            ? "the run has made its \(result.steps) steps already: --epochs or --steps make it longer"
            : "the run was stopped early: another --early-stop, or none, continues it")
      }
      return (result, task)
    }
    let skipped = task.skipped(settings)
    skipped.report()
    return TrainedRun(result: result, format: task.format, device: device, skipped: skipped)
  }

  /// Reports the device memory that training needs, and throws if the device has less. The training steps are only
  /// planned for this; the device computes nothing. Also reports if the device computes the products of a reduced
  /// precision as `float32` products.
  private func stateMemory(_ format: any DataFormat, _ count: Int, on device: ComputeDevice) throws {
    let size = min(settings.batchSize.count ?? count, count)
    let memory = try PlannedTraining(settings, format).check(batchSize: max(size, 1), on: device)
    Diagnostics.write("training takes \(memory)")
    if settings.precision != .float32, !device.speedsUp(settings.precision) {
      let other = device.speedsUp(.mixed(.bfloat16)) ? "; for the products of mixed-bfloat16, it has instructions" : ""
      Diagnostics.write(
        "\(device.info.identifier) computes the products of --precision \(settings.precision.name) as float32 "
          + "products, which saves no time\(other)")
    }
  }

  /// Warns if an epoch has fewer than 8 steps and the run fewer than about 100: a model learns little in so few steps.
  /// There is no warning if the length of the run is a number of steps, or if the batch size is `full`.
  private func adviseOnSteps(_ count: Int) {
    guard case .count(let size) = settings.batchSize, case .epochs(let epochs) = settings.length else { return }
    let steps = settings.dataSettings.dropsLast ? max(count / size, 1) : ceilDivide(count, size)
    guard steps < 8, epochs < Double(100 / steps) else { return }
    Diagnostics.write(
      "an epoch has only \(steps.text(of: "step")) of \(min(size, count)) examples; for more steps, "
        + "use more --epochs or a smaller --batch-size")
  }

  /// The initial weights of a new run; `nil` for random ones, and for a resumed run.
  private func pretrainedWeights() throws -> PretrainedWeights? {
    guard isNew else { return nil }
    return try settings.weights.map { try PretrainedWeights(path: $0) }
  }

  private func trainer(
    _ task: LearningTask, from weights: PretrainedWeights?, on device: ComputeDevice,
    _ observers: [any TrainingObserver], _ adapt: (inout TrainingOptions) -> Void
  ) throws -> Trainer {
    try settings.trainer(task, from: weights, isNew: isNew, observers: observers) { options in
      options.output = files.path
      options.folder = files.locked
      options.saveEvery = settings.saveEvery
      options.retention = settings.retention
      options.configuration = task.format.configuration(settings)
      options.configuration[TrainingRun.hardwareKey] = .string(device.info.hardware)
      options.writesEvents = true
      adapt(&options)
    }
  }

  /// The tokenizer of the initial weights or of the resumed run, if there is one.
  private func tokenizer(of weights: PretrainedWeights?) throws -> (any Tokenizer)? {
    let checkpoint: Checkpoint
    switch origin {
    case .new: return try settings.text.flatMap { try weights?.tokenizer(ofKind: $0.tokenizer) }
    case .newest(let newest): checkpoint = newest
    case .copy(let source): checkpoint = source
    }
    guard let format = DataKinds.format(in: checkpoint.state.configuration) as? TextFormat else { return nil }
    return format.tokenizer
  }

  private func resume(_ trainer: Trainer, _ format: any DataFormat, on device: ComputeDevice) throws {
    let checkpoint: Checkpoint
    switch origin {
    case .new: return
    case .newest(let newest): checkpoint = newest
    case .copy(let source): checkpoint = source
    }
    guard let kept = DataKinds.format(in: checkpoint.state.configuration), kept.isEqual(to: format) else {
      throw TrainingError.mismatch(
        path: checkpoint.path, reason: "the data of \(settings.data) differ from the data it was trained with")
    }
    if case .newest = origin {
      // Warnings about damaged checkpoints were printed when this checkpoint was found.
      try trainer.resume { _ in }
    } else {
      try trainer.resume(from: checkpoint)
    }
    let (step, total) = (checkpoint.state.step, trainer.totalSteps)
    guard step < total else { return }
    Diagnostics.write("resuming after step \(step) of \(total)")
    let (before, now) = (checkpoint.state.configuration[TrainingRun.hardwareKey]?.string, device.info.hardware)
    if let before, before != now {
      Diagnostics.write(
        "the checkpoint was trained on \(before.printable(limit: 400)), and training continues on \(now): the last bits of the weights may "
          + "differ from a run on one device")
    }
  }

  /// The key of the configuration in checkpoints under which `DeviceInfo.hardware` is stored.
  private static let hardwareKey = "hardware"
}

extension DeviceInfo {
  /// What the last bits of results depend on: the kind of the backend, the processor, and the driver or instruction set.
  fileprivate var hardware: String { "\(kind.rawValue) (\(name), \(driver))" }
}
