import ApusTensor

/// `y = (x − mean) / √(variance + ε) · γ + β` (Ulyanov, Vedaldi, Lempitsky, 2016) for
/// `x: [batch, channels, 1 to 3 spatial axes]` and `γ, β: [channels]`; `y` has the shape of `x`. The mean and the
/// (biased) variance are over the spatial positions of one channel of one example.
///
/// A layer that tracks statistics uses the running statistics in inference and updates them in training:
/// `running = (1 − momentum) · running + momentum · batch`, where `batch` is the mean or the unbiased variance of one
/// channel of one example, averaged over the examples. An input with a single spatial position is an error unless the
/// layer uses running statistics. `numBatchesTracked` exists only for PyTorch's state dict; as in PyTorch it stays 0.
public struct InstanceNorm: Layer {
  /// The scale `γ`, `[channels]`, if the layer is affine.
  public let weight: Parameter?
  /// The shift `β`, `[channels]`, if the layer is affine.
  public let bias: Parameter?
  /// The running mean, `[channels]`; PyTorch's `running_mean`.
  public let runningMean: Statistic?
  /// The running variance, `[channels]`; PyTorch's `running_var`.
  public let runningVar: Statistic?
  /// PyTorch's `num_batches_tracked`, an `int64` scalar, which stays 0.
  public let numBatchesTracked: Statistic?
  /// `ε`, which keeps the root above 0.
  public let epsilon: Double
  /// The weight of a batch in the running statistics.
  public let momentum: Double
  private let channels: Int
  private let identity = LayerIdentity()

  /// - Parameters:
  ///   - channels: the extent of axis 1.
  ///   - momentum: the weight of a batch in the running statistics.
  ///   - isAffine: whether the layer has `γ` and `β`.
  ///   - tracksStatistics: whether the layer has running statistics.
  public init(
    _ channels: Int, epsilon: Double = 1e-5, momentum: Double = 0.1, isAffine: Bool = false,
    tracksStatistics: Bool = false
  ) {
    weight = isAffine ? Parameter(.ones([channels])) : nil
    bias = isAffine ? Parameter(.zeros([channels])) : nil
    runningMean = tracksStatistics ? Statistic(.zeros([channels])) : nil
    runningVar = tracksStatistics ? Statistic(.ones([channels])) : nil
    numBatchesTracked = tracksStatistics ? Statistic(.zeros([], dtype: .int64)) : nil
    self.epsilon = epsilon
    self.momentum = momentum
    self.channels = channels
  }

  /// - Parameter x: `[batch, channels, spatial…]`, or `[channels, length]` for a single example.
  /// - Returns: the result, in the shape of `x`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    LayerTrace.leaf(self, x) { x.asBatch(ofRank: 3, normalizedBatch) }
  }

  private func normalizedBatch(_ x: Tensor) -> Tensor {
    guard x.hasChannels(channels, spatialAxes: 1...3, "InstanceNorm"),
      !usesInput || x.hasSeveralValues(apartFrom: [0, 1], "InstanceNorm")
    else { return x }
    guard let runningMean, let runningVar else {
      return x.instanceNormalized(weight: weight?.value, bias: bias?.value, epsilon: epsilon)
    }
    guard usesInput else {
      return x.batchNormalized(
        mean: runningMean.value, variance: runningVar.value, weight: weight?.value, bias: bias?.value,
        epsilon: epsilon)
    }
    return x.inWideLane { x in
      let (centered, variance) = tracked(x, runningMean, runningVar)
      return centered.scaled(by: variance, epsilon: epsilon, weight?.value, bias?.value)
    }
  }

  /// Whether the layer normalizes with the mean and variance of the input, not with the running statistics.
  private var usesInput: Bool {
    runningMean == nil || ModeScope.mode(for: "InstanceNorm", identity) == .training
  }

  /// `x − mean` and the variance, both computed from the input. Updates the running statistics.
  private func tracked(_ x: Tensor, _ runningMean: Statistic, _ runningVar: Statistic) -> (Tensor, Tensor) {
    let axes = Array(2..<x.rank)
    let (centered, mean, variance) = x.centered(axes)
    let unbiased = besselCorrection(x.shape.dropFirst(2).reduce(1, *))
    runningMean.follow(mean.mean(axis: 0), share: .number(momentum))
    runningVar.follow(variance.mean(axis: 0) * unbiased, share: .number(momentum))
    return (centered, variance)
  }
}
