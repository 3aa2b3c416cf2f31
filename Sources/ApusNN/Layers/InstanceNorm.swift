import ApusTensor

/// `y = (x − mean) / √(variance + ε) · γ + β`, mean and (biased) variance over the places of each channel of each
/// example (Ulyanov, Vedaldi, Lempitsky, 2016), for `x: [batch, channels, 1 to 3 spatial axes]`,
/// `γ, β: [channels]`.
///
/// A layer that tracks statistics uses the running ones in inference; in training they follow by
/// `running = (1 − momentum) · running + momentum · batch`, where the batch's values are the means over its examples, of
/// the variances in their unbiased form. A single place is an error where its own statistics are taken. The count of
/// batches stands for PyTorch's key: like there it stays 0.
public struct InstanceNorm: Layer {
  /// The factors `γ`, `[channels]`, if there are any.
  public let weight: Parameter?
  /// The summands `β`, `[channels]`, if there are any.
  public let bias: Parameter?
  /// The running mean, `[channels]`; PyTorch's `running_mean`.
  public let runningMean: Statistic?
  /// The running variance, `[channels]`; PyTorch's `running_var`.
  public let runningVar: Statistic?
  /// How many batches the running values have seen; PyTorch's `num_batches_tracked`.
  public let numBatchesTracked: Statistic?
  /// `ε`, which keeps the root from 0.
  public let epsilon: Double
  public let momentum: Double
  private let channels: Int
  private let ownMode = ModeSwitch()

  /// - Parameters:
  ///   - channels: the extent of axis 1.
  ///   - momentum: the share of the batch in the running values.
  ///   - isAffine: whether there are `γ` and `β`.
  ///   - tracksStatistics: whether there are running values.
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

  /// - Parameter x: `[batch, channels, spatial…]`, or `[channels, places]` of one example.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.asBatch(ofRank: 3, normalizedBatch) }

  private func normalizedBatch(_ x: Tensor) -> Tensor {
    guard x.hasChannels(channels, spatialAxes: 1...3, "InstanceNorm") else { return x }
    return x.inWideLane { normalized($0).scaled(perChannel: weight?.value, plus: bias?.value) }
  }

  private func normalized(_ x: Tensor) -> Tensor {
    guard let runningMean, let runningVar else {
      guard x.hasSeveralValues(apartFrom: [0, 1], "InstanceNorm") else { return x }
      return x.standardized(Array(2..<x.rank), epsilon: epsilon)
    }
    if ModeScope.mode(for: "InstanceNorm", own: ownMode) == .training {
      guard x.hasSeveralValues(apartFrom: [0, 1], "InstanceNorm") else { return x }
      return tracked(x, runningMean, runningVar)
    }
    let shape = x.perChannelShape(channels)
    let scale = (runningVar.value.reshaped(to: shape) + epsilon).rsqrt()
    return (x - runningMean.value.reshaped(to: shape)) * scale
  }

  /// The standardized input; the running values follow.
  private func tracked(_ x: Tensor, _ runningMean: Statistic, _ runningVar: Statistic) -> Tensor {
    let axes = Array(2..<x.rank)
    let count = x.shape.dropFirst(2).reduce(1, *)
    let (centered, mean, variance) = x.centered(axes)
    let unbiased = Double(count) / Double(Swift.max(count - 1, 1))
    runningMean.follow(mean.mean(axis: 0), share: .number(momentum))
    runningVar.follow(variance.mean(axis: 0) * unbiased, share: .number(momentum))
    return centered * (variance + epsilon).rsqrt()
  }
}
