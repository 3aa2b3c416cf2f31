import ApusData
import ApusNN
import ApusTensor

/// A session of a run: from its start or a checkpoint to its end or a signal.
struct TrainingSession {
  private let trainer: Trainer
  private let metrics: MetricsLog?
  private let events: TensorBoardLog?
  private var progress: Progress
  /// The loss and the measures of the previous step, which are being read back to the host.
  private var pending: (loss: Reading, measures: StepMeasures.Pending?, count: Int, step: Int)?
  private let measures: StepMeasures
  /// The remaining batches of an epoch.
  private var pass: (epoch: Int, batches: any ExamplePass)?
  private let baseRate: Double
  private var hasCheckedParameters = false
  /// The records of a profile that has begun and not ended.
  private var profiled: [StepRecord]?
  /// Whether the device is recording its work for this session.
  private var isProfiling = false

  /// The time of the last update of `state.seconds`.
  private var clock: Double
  private let firstStep: Int
  /// Time spent before this session.
  private let earlierSeconds: Double
  /// The number of examples in the steps of this session.
  private var exampleCount = 0
  /// Time spent in steps, including waiting for examples.
  private var stepSeconds = 0.0
  /// The values of `exampleCount` and `stepSeconds` at the start of the epoch.
  private var epochStart = (examples: 0, seconds: 0.0)
  /// Time spent waiting for examples in the epochs before the current one.
  private var waitedSeconds = 0.0

  /// The number of steps between two lines of metrics.
  private static let window = 50

  init(_ trainer: Trainer) throws(TrainingError) {
    try trainer.checkSchedule()
    try trainer.checkOutput()
    self.trainer = trainer
    measures = StepMeasures(trainer)
    earlierSeconds = trainer.state.seconds
    baseRate = trainer.optimizer.rule.learningRate
    firstStep = trainer.state.step
    clock = ContinuousClock.seconds
    progress = Progress(style: trainer.options.progress, firstStep: firstStep, now: clock)
    trainer.lastSave = clock
    if let run = trainer.runFolder?.folder {
      metrics = try MetricsLog(in: run, keeping: trainer.state.metricsByteCount)
      events = trainer.options.writesEvents ? try TensorBoardLog(run: run, resumingAfter: firstStep) : nil
    } else {
      (metrics, events) = (nil, nil)
    }
  }

  mutating func run() throws(TrainingError) -> TrainingResult {
    let interruption = try run(until: trainer.totalSteps)
    if let interruption { progress.note("stopped by signal \(interruption) after step \(trainer.state.step)") }
    return try result(interruption)
  }

  /// Runs until `end` steps of the run are finished and saved, or until a signal arrives, which is returned.
  @discardableResult
  mutating func run(until end: Int) throws(TrainingError) -> Int32? {
    do throws(TrainingError) {
      return try advance(to: end)
    } catch {
      // Stops recording, because other code uses the device too.
      if isProfiling { _ = try? trainer.device.finishProfile() }
      isProfiling = false
      throw error
    }
  }

  private mutating func advance(to end: Int) throws(TrainingError) -> Int32? {
    try reportingTraining { try trainer.optimizer.prepare() }
    try save()
    while trainer.state.step < end {
      try beginOrEndProfile()
      let start = ContinuousClock.seconds
      try step()
      let now = ContinuousClock.seconds
      stepSeconds += now - start
      let step = trainer.state.step
      let isEpochEnd = step % trainer.order.batchesPerEpoch == 0
      if step % TrainingSession.window == 0 || isEpochEnd { try finishWindow() }
      if isEpochEnd || step == trainer.totalSteps { try finishEpoch() }
      let interruption = trainer.options.handlesSignals ? Interrupts.signal : nil
      let sinceSave = now - trainer.lastSave
      // With the full batch every step is an epoch: a step of a few milliseconds is not worth a checkpoint.
      let isDue = sinceSave >= trainer.options.saveEvery || isEpochEnd && sinceSave >= 1
      if interruption != nil || isDue || step == end { try save() }
      if interruption != nil || step == end { try endProfile() }
      if interruption != nil { return interruption }
      progress.update(status, now: now)
    }
    return nil
  }

  // MARK: - Steps

  /// Begins a profile after the first two steps, and ends it `profiledSteps` steps later.
  private mutating func beginOrEndProfile() throws(TrainingError) {
    guard trainer.options.onProfile != nil else { return }
    let step = trainer.state.step - firstStep
    if step == 2 {
      try startProfile()
      profiled = []
    }
    if step == 2 + TrainingOptions.profiledSteps { try endProfile() }
  }

  private mutating func startProfile() throws(TrainingError) {
    try reportingTraining { try trainer.device.startProfile() }
    isProfiling = true
  }

  private mutating func pauseProfile() throws(TrainingError) {
    guard isProfiling else { return }
    isProfiling = false
    profiled! += try reportingTraining { try trainer.device.finishProfile() }
  }

  private mutating func endProfile() throws(TrainingError) {
    try pauseProfile()
    guard let records = profiled else { return }
    profiled = nil
    trainer.options.onProfile?(Profile(of: trainer.device, records))
  }

  private mutating func step() throws(TrainingError) {
    defer { hasCheckedParameters = true }
    let step = trainer.state.step
    let batch = try nextBatch(step)
    let optimizer = trainer.optimizer
    optimizer.learningRate = baseRate * trainer.schedule.factor(step: step, of: trainer.totalSteps)
    optimizer.momentum = trainer.schedule.momentum(step: step, of: trainer.totalSteps)
    let trainer = trainer
    let readings = try lookingForAnomalies(step) { () throws(TrainingError) in
      try reportingTraining {
        try withRandomSource(trainer.random) {
          try withMode(.training) {
            let (loss, gradients, measured) = try lossAndGradients(batch)
            measured?.means.evaluateWithNext()
            try optimizer.update(trainer.options.clipped(consume gradients))
            let reading = try measured.map {
              StepMeasures.Pending(reading: try $0.means.startReading(), partsPerExample: $0.partsPerExample)
            }
            return (loss: try loss.startReading(), measures: reading)
          }
        }
      }
    }
    trainer.state.step += 1
    // The previous step is finished by now, or nearly: waiting for it stalls nothing.
    try drain()
    let count = batch.targets.shape[0]
    exampleCount += count
    pending = (readings.loss, readings.measures, count, step + 1)
  }

  /// Builds the loss and the gradients; the first step of a session also checks that no parameter is left untrained.
  private func lossAndGradients(
    _ batch: (inputs: Tensor, targets: Tensor)
  ) throws -> (value: Tensor, gradients: Gradients, measured: StepMeasures.Values?) {
    let (trainer, measures) = (trainer, measures)
    var measured: StepMeasures.Values?
    func build() throws -> (value: Tensor, gradients: Gradients) {
      try checkingSingleExample(batch) {
        try trainer.optimizer.valueAndGradients {
          let outputs = trainer.model(batch.inputs)
          let loss = trainer.objective.losses(outputs, batch.targets).mean()
          measured = measures.values(outputs, batch.targets)
          return trainer.penalty.map { loss + $0() } ?? loss
        }
      }
    }
    if hasCheckedParameters {
      let (value, gradients) = try build()
      return (value, gradients, measured)
    }
    let (result, reads) = try ParameterReads.recording(build)
    try ParameterCheck.check(result.value, result.gradients, reads, trainer.optimizer)
    return (result.value, result.gradients, measured)
  }

  /// Builds a step. The last batch of an epoch may be a single example, from which some layers cannot compute
  /// statistics. This occurs only at the end of an epoch, so it is thrown as an error instead of stopping the process.
  private func checkingSingleExample<R>(_ batch: (inputs: Tensor, targets: Tensor), _ body: () throws -> R) throws -> R
  {
    guard batch.targets.shape.first == 1 else { return try body() }
    do {
      return try checkingShapes(body)
    } catch let error as ShapeError {
      throw TrainingError.singleExample(step: trainer.state.step + 1, error)
    }
  }

  /// Runs a step, and checks each of its operations if the options request it.
  private func lookingForAnomalies<R>(
    _ step: Int, _ body: () throws(TrainingError) -> R
  ) throws(TrainingError) -> R {
    guard trainer.options.detectsAnomalies else { return try body() }
    do throws(TrainingError) {
      return try reportingTraining { try detectingAnomalies(body) }
    } catch {
      guard case .device(.notFinite(let anomaly)) = error else { throw error }
      throw .anomaly(step: step + 1, anomaly)
    }
  }

  /// The examples of a step.
  private mutating func nextBatch(_ step: Int) throws(TrainingError) -> (inputs: Tensor, targets: Tensor) {
    let (epoch, batch) = step.quotientAndRemainder(dividingBy: trainer.order.batchesPerEpoch)
    if pass?.epoch != epoch {
      if let finished = pass?.batches.waitedSeconds { waitedSeconds += finished }
      let batches = trainer.order.epoch(epoch).map(Array.init)
      pass = (epoch, trainer.train.pass(over: batches, from: batch, epoch: epoch))
    }
    do throws(DataError) {
      if let examples = try pass?.batches.next() { return examples }
    } catch {
      throw .data(error)
    }
    fatalError("TrainingSession: epoch \(epoch) has fewer batches than its order")
  }

  /// Reads the pending loss and measures.
  private mutating func drain() throws(TrainingError) {
    guard let last = pending else { return }
    pending = nil
    let loss = try reportingTraining { try last.loss.scalar() }
    guard loss.isFinite else { throw .diverged(step: last.step, loss: loss) }
    let (measures, trainer) = (measures, trainer)
    let reported = try reportingTraining {
      try measures.add(last.measures, loss: loss, count: last.count, to: &trainer.state)
    }
    trainer.state.epochLoss.add(reported, count: last.count)
    trainer.state.windowLoss.add(reported, count: last.count)
  }

  // MARK: - Records

  private mutating func record(_ record: JSONObject) throws(TrainingError) {
    trainer.options.onRecord?(record)
    try events?.write(record)
    guard let metrics else { return }
    try metrics.append(record)
    trainer.state.metricsByteCount = metrics.byteCount
  }

  private var epoch: Int {
    (trainer.state.step + trainer.order.batchesPerEpoch - 1) / trainer.order.batchesPerEpoch
  }

  private mutating func finishWindow() throws(TrainingError) {
    try drain()
    guard let loss = trainer.state.windowLoss.mean else { return }
    trainer.state.windowLoss = RunningMean()
    try record([
      "step": .integer(trainer.state.step), "epoch": .integer(epoch), "loss": .number(loss),
      "learning_rate": .number(trainer.optimizer.learningRate),
    ])
  }

  private mutating func finishEpoch() throws(TrainingError) {
    try drain()
    // A profile covers training only.
    try pauseProfile()
    trainer.state.trainLoss = trainer.state.epochLoss.mean
    trainer.state.epochLoss = RunningMean()
    trainer.state.trainMeasures = trainer.state.epochMeasures.compactMapValues(\.mean)
    trainer.state.epochMeasures = [:]
    if let validation = trainer.validation {
      let measured = try measure(validation)
      trainer.state.validationLoss = measured.loss
      trainer.state.validationAccuracy = measured.accuracy
      trainer.state.validationMeasures = measured.measures
    }
    if let test = trainer.test, trainer.validation == nil || trainer.state.step == trainer.totalSteps {
      let measured = try measure(test)
      trainer.state.testLoss = measured.loss
      trainer.state.testAccuracy = measured.accuracy
      trainer.state.testMeasures = measured.measures
    }
    if profiled != nil { try startProfile() }
    informSchedule()
    countTime()
    let state = trainer.state
    var record: JSONObject = ["epoch": .integer(epoch), "step": .integer(state.step)]
    for part in RunPart.all(of: state) {
      record["\(part.key)_loss"] = part.loss.map { .number($0) }
      for (name, value) in part.measures { record["\(part.key)_\(name)"] = .number(value) }
    }
    let epochSeconds = state.seconds - state.epochStart
    trainer.state.epochStart = state.seconds
    record["epoch_seconds"] = .number(epochSeconds)
    record["seconds"] = .number(state.seconds)
    let spent = (examples: exampleCount - epochStart.examples, seconds: stepSeconds - epochStart.seconds)
    if spent.seconds > 0 { record["examples_per_second"] = .number(Double(spent.examples) / spent.seconds) }
    epochStart = (exampleCount, stepSeconds)
    record["loader_share"] = loaderShare.map { .number($0) }
    if let scaler = trainer.optimizer.lossScaler {
      record["loss_scale"] = .number(try reportingTraining { try scaler.scale.scalar() })
      record["skipped_steps"] = .number(try reportingTraining { try scaler.skippedSteps.scalar() })
    }
    try self.record(record)
    progress.note(line(state, seconds: epochSeconds))
  }

  private func measure(_ source: any ExampleSource) throws(TrainingError) -> Evaluation {
    try evaluate(trainer.model, on: source, objective: trainer.testObjective, batchSize: trainer.order.batchSize)
  }

  /// Passes the metric of the epoch to a schedule that depends on one: that of the validation examples, otherwise the
  /// training loss. Test examples are never used: a metric that has steered a run is not an unbiased estimate.
  private func informSchedule() {
    guard var schedule = trainer.schedule as? any MetricSchedule else { return }
    let state = trainer.state
    let metric =
      schedule.prefersLarger
      ? state.validationAccuracy : trainer.validation == nil ? state.trainLoss : state.validationLoss
    guard let metric else { return }
    schedule.observe(metric)
    trainer.schedule = schedule
    trainer.state.scheduleMemory = schedule.memory
  }

  /// `epoch 2/5  train loss 0.4213  train accuracy 0.8461  test loss 0.4017  test accuracy 0.8561  12s`
  private func line(_ state: TrainingState, seconds: Double) -> StatusLine {
    var fields = [StatusLine.Field("epoch \(epoch)/\(trainer.totalEpochs)", rank: 0)]
    for part in RunPart.all(of: state) { fields += part.fields }
    return StatusLine(fields + [StatusLine.Field(duration(seconds), rank: 3)])
  }

  private var status: Progress.Status {
    let (state, parts) = (trainer.state, RunPart.all(of: trainer.state))
    let running = measures.names.compactMap { name in
      (state.epochMeasures[name]?.mean ?? state.trainMeasures[name]).map { (name: RunPart.words(name), value: $0) }
    }
    return Progress.Status(
      step: state.step, totalSteps: trainer.totalSteps, epoch: epoch, totalEpochs: trainer.totalEpochs,
      loss: state.epochLoss.mean ?? state.trainLoss, measures: running,
      evaluated: parts.dropFirst().first?.named ?? [], examples: exampleCount)
  }

  // MARK: - Checkpoints and results

  private mutating func countTime() {
    let now = ContinuousClock.seconds
    trainer.state.seconds += now - clock
    clock = now
  }

  private mutating func save() throws(TrainingError) {
    try drain()
    countTime()
    try metrics?.flush()
    try events?.flush()
    try trainer.save(now: clock)
  }

  /// The fraction of the step time that was spent waiting for examples; `nil` if no step waited.
  private var loaderShare: Double? {
    let waited = waitedSeconds + (pass?.batches.waitedSeconds ?? 0)
    return waited > 0 && stepSeconds > 0 ? min(waited / stepSeconds, 1) : nil
  }

  private mutating func result(_ interruption: Int32?) throws(TrainingError) -> TrainingResult {
    try drain()
    countTime()
    let (trainer, state) = (trainer, trainer.state)
    let digest = try reportingTraining { try trainer.modelState.sha256() }
    let steps = state.step - firstStep
    return TrainingResult(
      epochs: epoch, steps: state.step, trainLoss: state.trainLoss ?? state.epochLoss.mean,
      trainAccuracy: state.trainMeasures[Objective.accuracy] ?? state.epochMeasures[Objective.accuracy]?.mean,
      validationLoss: state.validationLoss, validationAccuracy: state.validationAccuracy, testLoss: state.testLoss,
      testAccuracy: state.testAccuracy, seconds: state.seconds, sessionSeconds: state.seconds - earlierSeconds,
      stepsPerSecond: steps > 0 && stepSeconds > 0 ? Double(steps) / stepSeconds : nil,
      loaderShare: loaderShare, weightsSHA256: digest, interruption: interruption)
  }
}

extension TrainingOptions {
  /// The gradients, clipped to the limits of the options.
  fileprivate func clipped(_ gradients: consuming Gradients) -> Gradients {
    var gradients = gradients
    if let clipValue { gradients = gradients.clipped(toValue: clipValue) }
    if let clipNorm { gradients = gradients.clipped(toNorm: clipNorm) }
    return gradients
  }
}
