import ApusData
import ApusNN

extension Trainer {
  /// Records the mean loss of a window, which is the steps since the last record of this kind.
  func finishWindow() throws(TrainingError) {
    try drain()
    guard let loss = state.windowLoss.mean else { return }
    state.windowLoss = RunningMean()
    try record([
      "step": .integer(state.step), "epoch": .integer(epoch), "loss": .number(loss),
      "learning_rate": .number(optimizer.learningRate),
    ])
  }

  /// Measures the model at the end of an epoch or of the run, and records the results.
  func finishEpoch() throws(TrainingError) {
    try drain()
    state.results.train = progress().running
    // If the limit of steps ends the run within an epoch, a resumed run with more steps continues this epoch, so the
    // running means of the epoch are kept.
    let isWholeEpoch = state.step % order.batchesPerEpoch == 0
    if isWholeEpoch {
      state.epochLoss = RunningMean()
      state.epochMeasures = [:]
    }
    if let validation {
      // Test results from an earlier end of the run were measured with older weights.
      state.results.test = nil
      try measure(validation, .validation)
    } else if let test {
      try measure(test, .test)
    }
    if isWholeEpoch { informSchedule() }
    try notify { observer, progress throws(TrainingError) in try observer.didFinishEpoch(progress) }
    let isEnd = state.step == totalSteps || session.stopReason != nil
    if validation != nil, let test, isEnd { try measure(test, .test) }
    try recordEpoch()
  }

  private func measure(_ source: any ExampleSource, _ split: DataSplit) throws(TrainingError) {
    try announce { observer, progress throws(TrainingError) in try observer.willEvaluate(progress, split) }
    // Test-time augmentation takes several times as long, so only the last evaluation of test examples uses it.
    let isLast = split == .test && (state.step == totalSteps || session.stopReason != nil)
    let measured = isLast ? options.testTimeAugmentation.layer(model) : model
    let found = try evaluate(measured, on: source, objective: testObjective, batchSize: order.batchSize)
    state.results[split] = found.metrics
    try notify { observer, progress throws(TrainingError) in try observer.didEvaluate(progress, split) }
  }

  /// If the schedule depends on a metric, passes it the loss or accuracy of this epoch: on the validation examples if
  /// there are any, otherwise on the training examples. Test examples are never used: a metric that has influenced a
  /// run is a biased estimate of the metric on new examples.
  private func informSchedule() {
    guard var schedule = schedule as? any MetricSchedule else { return }
    let metrics = progress().selection
    guard let metric = schedule.prefersLarger ? metrics?.accuracy : metrics?.loss else { return }
    schedule.observe(metric)
    self.schedule = schedule
    state.scheduleMemory = schedule.memory
  }

  private func recordEpoch() throws(TrainingError) {
    countTime()
    var record: JSONObject = ["epoch": .integer(epoch), "step": .integer(state.step)]
    for (split, metrics) in state.results.measured {
      record["\(split.rawValue)_loss"] = .number(metrics.loss)
      for (name, value) in metrics.named { record["\(split.rawValue)_\(name)"] = .number(value) }
    }
    record["epoch_seconds"] = .number(state.seconds - state.epochStart)
    state.epochStart = state.seconds
    record["seconds"] = .number(state.seconds)
    let seconds = session.stepSeconds - session.epochStart.seconds
    if seconds > 0 {
      record["examples_per_second"] = .number(Double(session.exampleCount - session.epochStart.examples) / seconds)
    }
    session.epochStart = (session.exampleCount, session.stepSeconds)
    record["loader_share"] = session.loaderShare.map { .number($0) }
    if let scaler = optimizer.lossScaler {
      record["loss_scale"] = .number(try reportingTraining { try scaler.scale.scalar() })
      record["skipped_steps"] = .number(try reportingTraining { try scaler.skippedSteps.scalar() })
    }
    if let reason = session.stopReason {
      record["stopped"] = .string(reason)
      session.hasRecordedStop = true
    }
    try self.record(record)
  }

  /// Records why the run was stopped, unless the record of an epoch contains the reason. A resumed run that is stopped
  /// before its first step records nothing: the reason is in its metrics already.
  func recordStop() throws(TrainingError) {
    guard let reason = session.stopReason, !session.hasRecordedStop, state.step > session.firstStep else { return }
    session.hasRecordedStop = true
    try record(["epoch": .integer(epoch), "step": .integer(state.step), "stopped": .string(reason)])
  }

  private func record(_ record: JSONObject) throws(TrainingError) {
    options.onRecord?(record)
    try notify { observer, progress throws(TrainingError) in try observer.didRecord(progress, record) }
  }
}
