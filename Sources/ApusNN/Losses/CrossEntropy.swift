import ApusTensor

/// The cross-entropy of logits with class indices: `log Σⱼ exp(xⱼ) − x_t`.
///
/// The gradient of the logits of an example is `softmax(x) − onehot(t)`.
///
/// - Parameters:
///   - logits: `[batch, classes]` or `[batch, classes, places…]`, not normalized.
///   - targets: integers in `0 ..< classes`: `[batch]` or `[batch, places…]`.
///   - ignoring: a target that counts as nothing, and not in the mean.
///   - smoothing: the share `ε` of a uniform distribution in the targets (Szegedy et al., 2016).
/// - Returns: one number, or with `reduction: .none` the shape of `targets`.
/// - Throws (when the value is read): `DeviceError.indexOutOfRange` for a target that is no class.
public func crossEntropy(
  _ logits: Tensor, _ targets: Tensor, reduction: LossReduction = .mean, ignoring: Int? = nil,
  smoothing: Double = 0
) -> Tensor {
  guard fits(targets, logits) else { return logits.sum() }
  let x = logits.dtype == .float64 ? logits : logits.cast(to: .float32)
  let counts = ignoring.map { targets.notEqual(to: Double($0)) }
  let classes =
    counts.map { $0.select(targets, Tensor.number(0, dtype: targets.dtype, device: targets.device)) } ?? targets
  let largest = x.max([1]).stopGradient()
  let shifted = x - largest.expandingAxis(at: 1)
  let logSum = shifted.exp().sum([1]).log()
  var losses = logSum - (x.picking(classes, alongAxis: 1) - largest)
  if smoothing > 0 {
    losses = losses * (1 - smoothing) + (logSum - shifted.mean([1])) * smoothing
  }
  guard let counts else { return reduction(losses) }
  losses = counts.select(losses, Tensor.number(0, dtype: x.dtype, device: x.device))
  guard case .mean = reduction else { return reduction(losses) }
  return losses.sum() / counts.cast(to: x.dtype).sum()
}

/// The cross-entropy of logits with distributions: `−Σⱼ pⱼ log softmax(x)ⱼ`.
///
/// - Parameters:
///   - logits: `[batch, classes]` or `[batch, classes, places…]`, not normalized.
///   - probabilities: the same shape; along axis 1 they add up to 1.
/// - Returns: one number, or with `reduction: .none` the shape of `logits` without axis 1.
public func crossEntropy(
  _ logits: Tensor, probabilities: Tensor, reduction: LossReduction = .mean
) -> Tensor {
  reduction(-(probabilities * logits.logSoftmax(axis: 1)).sum([1]))
}

private func fits(_ targets: Tensor, _ logits: Tensor) -> Bool {
  if logits.rank >= 2, targets.shape == logits.shape.removing(1), targets.dtype.isInteger { return true }
  ShapeError(
    "crossEntropy",
    "\(targets.dtype) targets \(targets.shape) do not fit logits \(logits.shape), which are "
      + "[batch, classes, places…]; integers [batch, places…] do"
  ).report()
  return false
}
