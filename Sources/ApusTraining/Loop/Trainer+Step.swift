import ApusData
import ApusNN
import ApusTensor

extension Trainer {
  /// Runs one training step, and reads the loss and the measures of the previous step.
  func step() throws(TrainingError) {
    defer { session.hasCheckedParameters = true }
    let step = state.step
    let batch = try nextBatch(step)
    let readings = try lookingForAnomalies(step) { () throws(TrainingError) in
      try reportingTraining {
        try withRandomSource(random) {
          try withMode(.training) {
            let (results, form) =
              if options.compilesSteps { try compiledStep([batch.inputs, batch.targets]) } else { try update(batch) }
            let reading = try form.map { form throws(DeviceError) in
              try StepMeasures.Pending(results[1].startReading(), form)
            }
            return (loss: try results[0].startReading(), measures: reading)
          }
        }
      }
    }
    state.step += 1
    try lookAhead()
    // Waits for the previous step, not for this one, so that the device has work while the host reads values.
    try drain()
    let count = batch.targets.shape[0]
    session.exampleCount += count
    session.pending = (readings.loss, readings.measures, count, step + 1)
  }

  /// Replaces the values of the model by their moving average if the lookahead of the options requires it after this
  /// step, and always after the last step of the run.
  private func lookAhead() throws(TrainingError) {
    guard let lookahead = options.lookahead, let average else { return }
    let (step, total) = (state.step, totalSteps)
    guard let decay = lookahead.updateDecay(step: step, of: total) ?? (step == total ? 1.0 : nil) else { return }
    try reportingTraining { try average.update(decay: decay) }
  }

  /// The training step of this session. It builds its graph for the first batches only, and then runs recorded plans.
  private var compiledStep: RepeatedStep<StepMeasures.Form?> {
    if let step = session.compiledStep { return step }
    let step = RepeatedStep(optimizer) { [unowned self] inputs in try update((inputs[0], inputs[1])) }
    session.compiledStep = step
    return step
  }

  /// Computes the gradients of a batch and updates the parameters. Returns the loss and, if something is measured, the
  /// means.
  private func update(
    _ batch: (inputs: Tensor, targets: Tensor)
  ) throws -> (results: [Tensor], form: StepMeasures.Form?) {
    var (loss, gradients, measured) = try lossAndGradients(batch)
    if measuresGradientNorm { measured = .adding(gradients.norm, to: measured) }
    measured?.means.evaluateWithNext()
    try optimizer.update(options.clipped(consume gradients))
    return ([loss] + (measured.map { [$0.means] } ?? []), measured?.form)
  }

  /// Builds the loss and the gradients; the first step of a session also checks that no parameter is left untrained.
  private func lossAndGradients(
    _ batch: (inputs: Tensor, targets: Tensor)
  ) throws -> (value: Tensor, gradients: Gradients, measured: StepMeasures.Values?) {
    var measured: StepMeasures.Values?
    func build() throws -> (value: Tensor, gradients: Gradients) {
      try checkingSingleExample(batch) {
        try optimizer.valueAndGradients {
          let outputs = model(batch.inputs)
          let loss = objective.losses(outputs, batch.targets).mean()
          measured = measures.values(outputs, batch.targets)
          return penalty.map { loss + $0() } ?? loss
        }
      }
    }
    if session.hasCheckedParameters {
      let (value, gradients) = try build()
      return (value, gradients, measured)
    }
    let (result, reads) = try ParameterReads.recording(build)
    try ParameterCheck.check(result.value, result.gradients, reads, optimizer)
    return (result.value, result.gradients, measured)
  }

  /// Runs `body`, which builds a step from `batch`. The last batch of an epoch may have a single example, from which
  /// some layers cannot compute statistics. Such a batch would stop the process with a shape error at the end of an
  /// epoch, so the error is thrown instead.
  private func checkingSingleExample<R>(_ batch: (inputs: Tensor, targets: Tensor), _ body: () throws -> R) throws -> R
  {
    guard batch.targets.shape.first == 1 else { return try body() }
    do {
      return try checkingShapes(body)
    } catch let error as ShapeError {
      throw TrainingError.singleExample(step: state.step + 1, error)
    }
  }

  /// Runs `body`, a step. If the options request it, checks the result of each operation of the step for NaN and
  /// infinities.
  private func lookingForAnomalies<R>(
    _ step: Int, _ body: () throws(TrainingError) -> R
  ) throws(TrainingError) -> R {
    guard options.detectsAnomalies else { return try body() }
    do throws(TrainingError) {
      return try reportingTraining { try detectingAnomalies(body) }
    } catch {
      guard case .device(.notFinite(let anomaly)) = error else { throw error }
      throw .anomaly(step: step + 1, anomaly)
    }
  }

  /// The examples of a step.
  private func nextBatch(_ step: Int) throws(TrainingError) -> (inputs: Tensor, targets: Tensor) {
    let (epoch, batch) = step.quotientAndRemainder(dividingBy: order.batchesPerEpoch)
    if session.pass?.epoch != epoch {
      if let finished = session.pass?.batches.waitedSeconds { session.waitedSeconds += finished }
      let batches = order.epoch(epoch).map(Array.init)
      session.pass = (epoch, train.pass(over: batches, from: batch, epoch: epoch))
    }
    do throws(DataError) {
      if let examples = try session.pass?.batches.next() { return examples }
    } catch {
      throw .data(error)
    }
    fatalError("Trainer: epoch \(epoch) has fewer batches than its order")
  }

  /// Reads the pending loss and measures. Adds both to the means of the epoch, and the loss to the mean of the window:
  /// the steps since the last line of metrics. Throws `diverged` if the loss is not finite.
  func drain() throws(TrainingError) {
    guard let last = session.pending else { return }
    session.pending = nil
    let loss = try reportingTraining { try last.loss.scalar() }
    guard loss.isFinite else { throw .diverged(step: last.step, loss: loss) }
    let reported = try reportingTraining { try measures.add(last.measures, loss: loss, count: last.count, to: &state) }
    state.epochLoss.add(reported.loss, count: last.count)
    state.windowLoss.add(reported.loss, count: last.count)
    state.lastStep = MeasuredStep(step: last.step, loss: reported.loss, gradientNorm: reported.gradientNorm)
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
