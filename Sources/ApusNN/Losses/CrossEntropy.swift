import ApusTensor

/// The cross-entropy of logits `x` and a class index `t`: `w_t (log Σⱼ exp(xⱼ) − x_t)`.
///
/// Without weights and smoothing, the gradient of an example's loss with respect to its logits is
/// `softmax(x) − onehot(t)`.
///
/// - Parameters:
///   - logits: unnormalized, `[batch, classes]` or `[batch, classes, spatial…]`, or `[classes]` for a single example.
///   - targets: integers in `0 ..< classes`: `[batch]` or `[batch, spatial…]`, or `[]` for a single example.
///   - ignoring: a target value whose loss is 0 and which does not count in the mean.
///   - smoothing: label smoothing, the weight `ε` of a uniform distribution in the targets (Szegedy et al., 2016).
///   - weights: `w`, `[classes]`; the mean divides the sum of losses by `Σ w_t`, as in `torch.nn.CrossEntropyLoss`.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `targets`.
/// - Throws (when the value is read): `DeviceError.indexOutOfRange` for a target that is neither a class nor equal to
///   `ignoring`.
public func crossEntropy(
  _ logits: Tensor, _ targets: Tensor, reduction: LossReduction = .mean, ignoring: Int? = nil,
  smoothing: Double = 0, weights: Tensor? = nil
) -> Tensor {
  if logits.rank == 1 {
    return ofOneExample(logits, targets) {
      crossEntropy($0, $1, reduction: reduction, ignoring: ignoring, smoothing: smoothing, weights: weights)
    }
  }
  guard fits(targets, logits, weights, "crossEntropy") else { return logits.sum() }
  let x = logits.dtype == .float64 ? logits : logits.cast(to: .float32)
  let choice = ClassChoice(targets, like: x, ignoring: ignoring, weights: weights, for: "crossEntropy")
  let largest = x.softmaxShift(1)
  let shifted = x - largest
  let logSum = shifted.logSumOfExponentials([1], keepingAxes: false)
  var losses = logSum - (x.picking(choice.classes, axis: 1, for: "crossEntropy") - largest.squeezingAxis(at: 1))
  if let weights = choice.weights { losses = losses * weights }
  if smoothing > 0 {
    var others = logSum - shifted.mean(axis: 1)
    if let weights {
      let shares = weights.alongClasses(of: x)
      others = logSum * shares.mean() - (shifted * shares).mean(axis: 1)
    }
    losses = losses * (1 - smoothing) + others * smoothing
  }
  return choice.reduced(losses, reduction)
}

/// The cross-entropy of logits `x` and a target distribution `p`: `−Σⱼ wⱼ pⱼ log softmax(x)ⱼ`.
///
/// - Parameters:
///   - logits: unnormalized, `[batch, classes]` or `[batch, classes, spatial…]`, or `[classes]` for a single example.
///   - targetProbabilities: `p`, the same shape; they sum to 1 along axis 1.
///   - smoothing: label smoothing, the weight `ε` of a uniform distribution; the target probabilities are weighted by
///     `1 − ε`.
///   - weights: `w`, `[classes]`. The mean divides by the number of losses, not by a sum of weights.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `logits` without the axis of classes.
/// - Precondition: logits and target probabilities have equal shapes.
public func crossEntropy(
  _ logits: Tensor, targetProbabilities: Tensor, reduction: LossReduction = .mean, smoothing: Double = 0,
  weights: Tensor? = nil
) -> Tensor {
  if logits.rank == 1 {
    return ofOneExample(logits, targetProbabilities) {
      crossEntropy($0, targetProbabilities: $1, reduction: reduction, smoothing: smoothing, weights: weights)
    }
  }
  guard logits.rank >= 2, fits(weights, logits, "crossEntropy") else { return logits.sum() }
  return comparing("crossEntropy", [logits, targetProbabilities]) { pair in
    var shares = pair[1]
    if smoothing > 0 { shares = shares * (1 - smoothing) + smoothing / Double(logits.shape[1]) }
    if let weights { shares = shares * weights.alongClasses(of: pair[0]) }
    return reduction(-(shares * pair[0].logSoftmax(axis: 1)).sum(axis: 1))
  }
}

/// The cross-entropy of probabilities `p` and a class index `t`: `−w_t max(log p_t, −100)`. Probabilities that a
/// softmax has rounded to 0 or 1 have lost precision: prefer logits where they are available.
///
/// - Parameters:
///   - probabilities: `[batch, classes]` or `[batch, classes, spatial…]`; they sum to 1 along axis 1.
///   - targets: integers in `0 ..< classes`, `[batch]` or `[batch, spatial…]`.
///   - ignoring: a target value whose loss is 0 and which does not count in the mean.
///   - weights: `w`, `[classes]`; the mean is weighted, as for logits.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `targets`.
/// - Throws (when the value is read): `DeviceError.indexOutOfRange` for a target that is neither a class nor equal to
///   `ignoring`.
public func crossEntropy(
  fromProbabilities probabilities: Tensor, _ targets: Tensor, reduction: LossReduction = .mean, ignoring: Int? = nil,
  weights: Tensor? = nil
) -> Tensor {
  guard fits(targets, probabilities, weights, "crossEntropy") else { return probabilities.sum() }
  let logarithms = probabilities.cast(to: probabilities.dtype == .float64 ? .float64 : .float32).safeLog()
  let choice = ClassChoice(targets, like: logarithms, ignoring: ignoring, weights: weights, for: "crossEntropy")
  return choice.likelihoods(logarithms, reduction, for: "crossEntropy")
}
