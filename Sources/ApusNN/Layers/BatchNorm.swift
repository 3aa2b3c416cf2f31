import ApusTensor

/// `y = (x − mean) / √(variance + ε) · γ + β` for each channel of `x: [batch, channels, …]` (Ioffe, Szegedy,
/// 2015).
///
/// In training mean and variance are those of the batch, and the running ones follow:
/// `running += momentum · (batch − running)`, the variance in its unbiased form. In inference, and in a layer
/// whose parameters are all frozen, the running ones are used and stay as they are.
public struct BatchNorm: Layer {
  public let weight: Parameter?
  public let bias: Parameter?
  public let runningMean: Statistic
  public let runningVar: Statistic
  public let numBatchesTracked: Statistic
  public let epsilon: Double
  public let momentum: Double

  /// - Parameters:
  ///   - channels: the extent of axis 1.
  ///   - momentum: the share of the batch in the running values.
  ///   - isAffine: whether there are `γ` and `β`.
  public init(_ channels: Int, epsilon: Double = 1e-5, momentum: Double = 0.1, isAffine: Bool = true) {
    weight = isAffine ? Parameter(.ones([channels])) : nil
    bias = isAffine ? Parameter(.zeros([channels])) : nil
    runningMean = Statistic(.zeros([channels]))
    runningVar = Statistic(.ones([channels]))
    numBatchesTracked = Statistic(.zeros([], dtype: .int64))
    self.epsilon = epsilon
    self.momentum = momentum
  }

  private var isFrozen: Bool {
    guard let weight, let bias else { return false }
    return !weight.isTrainable && !bias.isTrainable
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let isTraining = ModeScope.mode(for: "BatchNorm") == .training && !isFrozen
    var shape: Shape = [x.rank > 1 ? x.shape[1] : 1]
    for _ in 0..<Swift.max(x.rank - 2, 0) { shape.append(1) }
    let (centered, variance) = isTraining ? tracked(x) : stored(x, shape)
    var scale = (variance + epsilon).rsqrt()
    if let weight { scale = scale * weight.value.reshaped(to: shape) }
    let scaled = centered * scale
    return bias.map { scaled + $0.value.reshaped(to: shape) } ?? scaled
  }

  /// `x − mean` and the variance, from the running values.
  private func stored(_ x: Tensor, _ shape: Shape) -> (Tensor, Tensor) {
    (x - runningMean.value.reshaped(to: shape), runningVar.value.reshaped(to: shape))
  }

  /// `x − mean` and the variance, from the batch; the running values follow.
  private func tracked(_ x: Tensor) -> (Tensor, Tensor) {
    let axes = [0] + Array(2..<Swift.max(x.rank, 2))
    let mean = x.mean(axes, keepingAxes: true)
    let centered = x - mean
    let variance = centered.squared().mean(axes, keepingAxes: true)
    let count = x.elementCount / Swift.max(mean.elementCount, 1)
    let unbiased = Double(count) / Double(Swift.max(count - 1, 1))
    follow(runningMean, mean.reshaped(to: runningMean.shape))
    follow(runningVar, variance.reshaped(to: runningVar.shape) * unbiased)
    numBatchesTracked.value = numBatchesTracked.value + 1
    return (centered, variance)
  }

  private func follow(_ statistic: Statistic, _ batch: Tensor) {
    let old = statistic.value
    statistic.value = old + (batch.stopGradient().cast(to: old.dtype) - old) * momentum
  }
}
