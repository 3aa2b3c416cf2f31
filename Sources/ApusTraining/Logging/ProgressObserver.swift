import ApusData
import ApusSystem
import ApusTensor

/// Passes the steps and epochs of a run to `Progress`, which shows them.
final class ProgressObserver: TrainingObserver {
  private var progress: Progress

  init(_ progress: Progress) { self.progress = progress }

  func didStep(_ run: TrainingProgress) -> TrainingRequest {
    progress.update(ProgressObserver.status(run), now: ContinuousClock.seconds)
    return .continue
  }

  func didRecord(_ run: TrainingProgress, _ record: JSONObject) -> TrainingRequest {
    if let seconds = record["epoch_seconds"]?.number { progress.note(ProgressObserver.line(run, seconds: seconds)) }
    return .continue
  }

  func didEnd(_ run: TrainingProgress, _ end: TrainingEnd) {
    switch end {
    case .finished, .failed: break
    case .stopped(let reason): progress.note("stopped after step \(run.step): \(reason)")
    case .interrupted(let signal): progress.note("stopped by signal \(signal) after step \(run.step)")
    }
  }

  /// For example `epoch 2/5  train loss 0.4213  train accuracy 0.8461  test loss 0.4017  test accuracy 0.8561  12s`
  private static func line(_ run: TrainingProgress, seconds: Double) -> StatusLine {
    var fields = [StatusLine.Field("epoch \(run.epoch)/\(run.totalEpochs)", rank: 0)]
    for (split, metrics) in run.results.measured { fields += metrics.fields(of: split) }
    return StatusLine(fields + [StatusLine.Field(duration(seconds), rank: 3)])
  }

  private static func status(_ run: TrainingProgress) -> Progress.Status {
    let (running, known) = (run.running?.all ?? [:], run.results.train?.all ?? [:])
    let measures = run.measureNames.compactMap { name in
      (running[name] ?? known[name]).map { (name: SplitMetrics.words(name), value: $0) }
    }
    let evaluated = run.results.measured.first { $0.split != .train }
    return Progress.Status(
      step: run.step, totalSteps: run.totalSteps, epoch: run.epoch, totalEpochs: run.totalEpochs,
      loss: run.running?.loss ?? run.results.train?.loss, measures: measures,
      evaluated: evaluated.map { $0.metrics.named(of: $0.split) } ?? [], examples: run.sessionExampleCount)
  }
}
