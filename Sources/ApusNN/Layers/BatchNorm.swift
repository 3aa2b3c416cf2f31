import ApusTensor

/// `y = (x − mean) / √(variance + ε) · γ + β` for each channel of `x: [batch, channels]` or
/// `[batch, channels, 1 to 3 spatial axes]` (Ioffe, Szegedy, 2015); `y` has the shape of `x`. The ε is inside the root,
/// as in the paper.
///
/// In training the layer normalizes with the mean and variance of the batch and updates the running statistics:
/// `running = (1 − momentum) · running + momentum · batch`, where `batch` is the mean or the unbiased variance of the
/// batch. Without a momentum, the running statistics are the means over all batches so far: in this formula the
/// momentum of batch `n` is `1 / n`. In inference the layer uses the running statistics and does not change them. A
/// layer without running statistics uses the batch statistics in every mode. Where the batch statistics are used, a
/// batch with a single value for each channel is an error, as in PyTorch.
///
/// If there are running statistics, only the mode decides which statistics are used: in training, even a layer whose
/// parameters are frozen uses the statistics of the batch and updates the running statistics. `withMode(_:of:where:_:)`
/// and `inMode(_:)` can set single layers to inference.
public struct BatchNorm: Layer {
  /// The scale `γ`, `[channels]`; `nil` for a scale of 1.
  public let weight: Parameter?
  /// The shift `β`, `[channels]`, if the layer is affine.
  public let bias: Parameter?
  /// The running mean, `[channels]`; PyTorch's `running_mean`.
  public let runningMean: Statistic?
  /// The running variance, `[channels]`; PyTorch's `running_var`.
  public let runningVar: Statistic?
  /// The number of batches in the running statistics, `int64` of shape `[]`; PyTorch's `num_batches_tracked`.
  public let numBatchesTracked: Statistic?
  /// `ε`, which keeps the root above 0.
  public let epsilon: Double
  /// The weight of a batch in the running statistics; `nil` for equal weights of all batches.
  public let momentum: Double?
  private let channels: Int
  private let identity = LayerIdentity()

  /// - Parameters:
  ///   - channels: the extent of axis 1.
  ///   - momentum: the weight of a batch in the running statistics; `nil` for equal weights of all batches.
  ///   - isAffine: whether the layer has `γ` and `β`.
  ///   - hasScale: whether an affine layer has `γ`; without it, the layer has only `β`.
  ///   - tracksStatistics: whether the layer has running statistics.
  public init(
    _ channels: Int, epsilon: Double = 1e-5, momentum: Double? = 0.1, isAffine: Bool = true, hasScale: Bool = true,
    tracksStatistics: Bool = true
  ) {
    weight = isAffine && hasScale ? Parameter(.ones([channels])) : nil
    bias = isAffine ? Parameter(.zeros([channels])) : nil
    runningMean = tracksStatistics ? Statistic(.zeros([channels])) : nil
    runningVar = tracksStatistics ? Statistic(.ones([channels])) : nil
    numBatchesTracked = tracksStatistics ? Statistic(.zeros([], dtype: .int64)) : nil
    self.epsilon = epsilon
    self.momentum = momentum
    self.channels = channels
  }

  public func callAsFunction(_ x: Tensor) -> Tensor { LayerTrace.leaf(self, x) { normalized(x) } }

  private func normalized(_ x: Tensor) -> Tensor {
    guard x.hasChannels(channels, spatialAxes: 0...3, "BatchNorm") else { return x }
    guard usesBatch else {
      return x.batchNormalized(
        mean: runningMean?.value, variance: runningVar?.value, weight: weight?.value, bias: bias?.value,
        epsilon: epsilon)
    }
    guard x.hasSeveralValues(apartFrom: [1], "BatchNorm") else { return x }
    return x.inWideLane { x in
      let (centered, variance) = tracked(x)
      return centered.scaled(by: variance, epsilon: epsilon, weight?.value, bias?.value)
    }
  }

  private var usesBatch: Bool {
    runningMean == nil || ModeScope.mode(for: "BatchNorm", identity) == .training
  }

  /// `x − mean` and the variance; mean and variance are computed from the batch. Updates the running statistics.
  private func tracked(_ x: Tensor) -> (Tensor, Tensor) {
    let axes = [0] + Array(2..<x.rank)
    let (centered, mean, variance) = x.centered(axes)
    if let runningMean, let runningVar, let numBatchesTracked {
      let unbiased = besselCorrection(x.elementCount / Swift.max(mean.elementCount, 1))
      let batches = numBatchesTracked.value + 1
      let share = momentum.map { .number($0) } ?? Statistic.Share.tensor(1 / batches.cast(to: runningMean.value.dtype))
      runningMean.follow(mean, share: share)
      runningVar.follow(variance * unbiased, share: share)
      numBatchesTracked.value = batches
    }
    return (centered, variance)
  }
}
