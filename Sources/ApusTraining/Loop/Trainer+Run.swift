import ApusData
import ApusNN
import ApusSystem
import ApusTensor

// MARK: - The loop

extension Trainer {
  /// The maximum number of steps whose mean loss is one line of metrics. A line is recorded after every step whose
  /// number is a multiple of `window`, and at the end of an epoch.
  private static let window = 50

  /// Runs to the end, until an observer stops the run, or until a signal arrives.
  public func run() throws(TrainingError) -> TrainingResult {
    defer {
      // Closes the files of the run and ends the threads that prepare batches.
      session = TrainerSession()
      runFolder = nil
    }
    let body = { () throws(TrainingError) -> TrainingResult in
      let interruption = try self.run(until: self.totalSteps)
      return try self.result(interruption)
    }
    return options.handlesSignals ? try Interrupts.watching(body) : try body()
  }

  /// Runs a session until `end` steps of the run are finished and saved, or the session is stopped.
  /// - Returns: the signal that ended the session; `nil` if none did.
  @discardableResult
  func run(until end: Int) throws(TrainingError) -> Int32? {
    try checkSchedule()
    try checkOutput()
    session = TrainerSession(from: state)
    let interruption: Int32?
    do throws(TrainingError) {
      try prepareMemory()
      try addObservers()
      interruption = try advance(to: end)
    } catch {
      // The first error is the one to report.
      try? announceEnd(.failed(error))
      throw error
    }
    try announceEnd(
      interruption.map { .interrupted(signal: $0) } ?? session.stopReason.map { .stopped(reason: $0) } ?? .finished)
    return interruption
  }

  /// For a new run, resets the observers, which may have been part of another run. Forgets a best checkpoint that is
  /// not in the output folder.
  private func prepareMemory() throws(TrainingError) {
    if state.step == 0, !isResumed {
      for (_, observer) in rememberingObservers { observer.memory = [] }
    }
    if let best = checkpoints?.best, let store, try !store.contains(step: best.step) { checkpoints?.memory = [] }
  }

  /// Makes the observers that the options request, and adds the user's.
  private func addObservers() throws(TrainingError) {
    if let onProfile = options.onProfile { session.observers.append(StepProfiler(device, report: onProfile)) }
    if options.progress != .silent {
      let progress = Progress(style: options.progress, firstStep: state.step, now: session.clock)
      session.observers.append(ProgressObserver(progress))
    }
    if let run = runFolder?.folder {
      let metrics = try MetricsLog(in: run, keeping: state.metricsByteCount)
      if options.writesEvents { session.observers.append(try TensorBoardLog(run: run, resumingAfter: state.step)) }
      session.observers.append(metrics)
      session.metrics = metrics
    }
    if let checkpoints { session.observers.append(checkpoints) }
    session.observers += observers
  }

  private func advance(to end: Int) throws(TrainingError) -> Int32? {
    try reportingTraining { try optimizer.prepare() }
    try prepareAverage()
    try notify { observer, progress throws(TrainingError) in try observer.didStart(progress) }
    try save()
    while state.step < end, session.stopReason == nil {
      try announceStep()
      let start = ContinuousClock.seconds
      try step()
      session.stepSeconds += ContinuousClock.seconds - start
      try notify { observer, progress throws(TrainingError) in try observer.didStep(progress) }
      let isEpochEnd = state.step % order.batchesPerEpoch == 0
      if state.step % Trainer.window == 0 || isEpochEnd { try finishWindow() }
      if isEpochEnd || state.step == totalSteps { try finishEpoch() }
      try recordStop()
      let interruption = options.handlesSignals ? Interrupts.signal : nil
      let isEnd = interruption != nil || session.stopReason != nil || state.step == end
      if isEnd || session.savesCheckpoint { try save() }
      if let interruption { return interruption }
    }
    // An observer may have stopped the run in `didSaveCheckpoint`.
    try recordStop()
    return nil
  }

  private func result(_ interruption: Int32?) throws(TrainingError) -> TrainingResult {
    try drain()
    countTime()
    let digest = try reportingTraining { try modelState.sha256() }
    var results = state.results
    // A run without a finished epoch reports its current epoch so far.
    if results.train == nil { results.train = progress().running }
    let steps = state.step - session.firstStep
    return TrainingResult(
      epochs: epoch, steps: state.step, results: results, seconds: state.seconds,
      sessionSeconds: state.seconds - session.earlierSeconds,
      stepsPerSecond: steps > 0 && session.stepSeconds > 0 ? Double(steps) / session.stepSeconds : nil,
      loaderShare: session.loaderShare, weightsSHA256: digest, interruption: interruption, stopped: session.stopReason)
  }
}

// MARK: - Observers

extension Trainer {
  /// The epoch that contains the last finished step, counted from 1; 0 before the first step.
  var epoch: Int { ceilDivide(state.step, order.batchesPerEpoch) }

  /// - Parameter isBeforeStep: whether a step is about to begin. The current epoch is then the epoch of this step, not
  ///   the epoch of the last finished step.
  func progress(isBeforeStep: Bool = false) -> TrainingProgress {
    TrainingProgress(
      state: state, totalSteps: totalSteps, stepsPerEpoch: order.batchesPerEpoch,
      epoch: isBeforeStep ? state.step / order.batchesPerEpoch + 1 : max(epoch, 1),
      learningRate: optimizer.learningRate, sessionExampleCount: session.exampleCount, hasValidation: validation != nil,
      measureNames: measureNames)
  }

  /// Passes an event to all observers and collects their requests.
  func notify(
    _ event: (any TrainingObserver, TrainingProgress) throws(TrainingError) -> TrainingRequest
  ) throws(TrainingError) {
    let progress = progress()
    for observer in session.observers {
      switch try event(observer, progress) {
      case .continue: break
      case .saveCheckpoint: session.savesCheckpoint = true
      case .stop(let reason): session.stopReason = session.stopReason ?? reason
      }
    }
  }

  /// Passes an event to all observers before the action that the event announces. The observers cannot answer with
  /// requests.
  func announce(
    isBeforeStep: Bool = false, _ event: (any TrainingObserver, TrainingProgress) throws(TrainingError) -> Void
  ) throws(TrainingError) {
    let progress = progress(isBeforeStep: isBeforeStep)
    for observer in session.observers { try event(observer, progress) }
  }

  private func announceStep() throws(TrainingError) {
    optimizer.learningRate = optimizer.rule.learningRate * schedule.factor(step: state.step, of: totalSteps)
    optimizer.momentum = schedule.momentum(step: state.step, of: totalSteps)
    if state.step % order.batchesPerEpoch == 0 {
      try announce(isBeforeStep: true) { observer, progress throws(TrainingError) in
        try observer.willStartEpoch(progress)
      }
    }
    try announce(isBeforeStep: true) { observer, progress throws(TrainingError) in try observer.willStep(progress) }
  }

  /// Passes the end of the session to all observers, also after one of them has thrown an error.
  private func announceEnd(_ end: TrainingEnd) throws(TrainingError) {
    let progress = progress()
    var first: TrainingError?
    for observer in session.observers {
      do throws(TrainingError) {
        try observer.didEnd(progress, end)
      } catch {
        first = first ?? error
      }
    }
    if let first { throw first }
  }

  /// The observers whose memory is stored in checkpoints, with their keys. The key is the observer's name; a second
  /// observer with the same name gets the key `name 2`, and so on.
  var rememberingObservers: [(key: String, observer: any TrainingObserver)] {
    var counts: [String: Int] = [:]
    return ((checkpoints.map { [$0] } ?? []) + observers).map { observer in
      let name = observer.name
      counts[name, default: 0] += 1
      return (counts[name]! == 1 ? name : "\(name) \(counts[name]!)", observer)
    }
  }
}

// MARK: - Checkpoints

extension Trainer {
  /// Reads the loss and measures that are still on the device. Then, if there is an output folder, writes a checkpoint
  /// of this step, unless the run has already written it or resumed from it.
  func save() throws(TrainingError) {
    session.savesCheckpoint = false
    try drain()
    countTime()
    guard let runFolder, let path = store?.path(of: state.step), savedStep != state.step else { return }
    try announce { observer, progress throws(TrainingError) in try observer.willSaveCheckpoint(progress, path: path) }
    state.randomKey = random.key
    if let metrics = session.metrics { state.metricsByteCount = metrics.byteCount }
    state.observerMemory = try memory(for: path)
    try store!.save(
      state, model: modelState, optimizer: optimizer, average: average, to: runFolder,
      keeping: options.retention.last, and: checkpoints?.best?.step)
    savedStep = state.step
    try notify { observer, progress throws(TrainingError) in try observer.didSaveCheckpoint(progress, path: path) }
  }

  /// The memory of all observers that have one.
  private func memory(for path: String) throws(TrainingError) -> [String: [Double]] {
    var memories: [String: [Double]] = [:]
    for (key, observer) in rememberingObservers {
      let memory = observer.memory
      guard memory.count <= TrainingState.observerMemoryLimit, memory.allSatisfy(\.isFinite) else {
        throw .unstorable(
          path: path, reason: "the memory of the observer \(key) has too many values, or values that are not finite")
      }
      if !memory.isEmpty { memories[key] = memory }
    }
    return memories
  }

  func countTime() {
    let now = ContinuousClock.seconds
    state.seconds += now - session.clock
    session.clock = now
  }
}
