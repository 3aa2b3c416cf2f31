/// The values of a finished step.
public struct MeasuredStep: Hashable, Sendable {
  /// The number of the step, from 1.
  public var step: Int
  /// The reported loss of the step's batch.
  public var loss: Double
  /// The norm of all gradients together before clipping, if an observer needs it.
  public var gradientNorm: Double?

  public init(step: Int, loss: Double, gradientNorm: Double? = nil) {
    self.step = step
    self.loss = loss
    self.gradientNorm = gradientNorm
  }
}

/// The progress of a run at the moment of an event.
public struct TrainingProgress: Sendable {
  let state: TrainingState
  /// The number of steps of the run.
  public let totalSteps: Int
  /// The number of steps of an epoch.
  public let stepsPerEpoch: Int
  /// The number of the current epoch, from 1.
  public let epoch: Int
  /// The learning rate of the last step; in `willStartEpoch` and `willStep`, the rate of the next step.
  public let learningRate: Double
  /// The number of examples in the steps of this session, which is the current call of `Trainer.run()`.
  public let sessionExampleCount: Int
  /// Whether the run has validation examples.
  public let hasValidation: Bool
  /// The names of the measures other than the loss, such as `accuracy`.
  public let measureNames: [String]

  /// The number of finished steps, over all sessions.
  public var step: Int { state.step }

  /// The number of epochs of the run.
  public var totalEpochs: Int { totalSteps / stepsPerEpoch + (totalSteps % stepsPerEpoch > 0 ? 1 : 0) }

  /// Whether the last step completed an epoch; `false` at the end of an incomplete last epoch.
  public var isEpochEnd: Bool { state.step > 0 && state.step % stepsPerEpoch == 0 }

  /// The newest results on each split.
  public var results: RunResults { state.results }

  /// The results that may influence a run: the validation results if the run has validation examples, otherwise the
  /// training results. A result that has influenced a run is a biased estimate of the results on new examples, so test
  /// results must not influence a run.
  public var selection: SplitMetrics? { results[selectionSplit] }

  /// The split of `selection`: validation if the run has such examples, otherwise training.
  public var selectionSplit: DataSplit { hasValidation ? .validation : .train }

  /// The results of the training examples in the current epoch so far; `nil` at the beginning of an epoch.
  public var running: SplitMetrics? {
    state.epochLoss.mean.map { SplitMetrics(loss: $0, all: state.epochMeasures.compactMapValues(\.mean)) }
  }

  /// The newest step whose values have arrived on the host. In `didStep` this is the step before the one that was just
  /// made, so that the host does not wait for the device.
  public var lastStep: MeasuredStep? { state.lastStep }
}
