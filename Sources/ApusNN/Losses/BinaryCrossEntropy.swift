import ApusTensor

/// The binary cross-entropy of logits `x` and target probabilities `t` of the positive class, with the sigmoid `σ`:
/// `−w (p t log σ(x) + (1 − t) log(1 − σ(x)))`. It is computed as `w ((1 − t) x + (1 + (p − 1) t) softplus(−x))`, which
/// neither overflows nor takes the logarithm of 0 (`torch.nn.BCEWithLogitsLoss`).
///
/// - Parameters:
///   - logits: any shape, not normalized.
///   - targets: the same shape, in `0 … 1`.
///   - weights: `w`, broadcast to the shape of `logits`.
///   - positiveWeights: `p`, broadcast to the shape of `logits`: above 1 for classes with few positive examples.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `logits`.
/// - Precondition: logits and targets have equal shapes.
public func binaryCrossEntropy(
  _ logits: Tensor, _ targets: Tensor, reduction: LossReduction = .mean, weights: Tensor? = nil,
  positiveWeights: Tensor? = nil
) -> Tensor {
  elementLoss("binaryCrossEntropy", logits, targets, reduction) { x, t in
    var tail = (-x).softplus()
    if let positiveWeights { tail = tail * ((positiveWeights - 1) * t + 1) }
    return weighted((1 - t) * x + tail, weights)
  }
}

/// The binary cross-entropy of probabilities `p` and target probabilities `t`: `−w (t log p + (1 − t) log(1 − p))`,
/// with logarithms clamped to at least −100 (`torch.nn.BCELoss`). Probabilities that a sigmoid has rounded to 0 or 1
/// have lost their precision: prefer logits where they are available.
///
/// The derivative with respect to `p` is `w (p − t) / max(p (1 − p), 10⁻¹²)`.
///
/// - Parameters:
///   - probabilities: any shape, in `0 … 1`.
///   - targets: the same shape, in `0 … 1`.
///   - weights: `w`, broadcast to the shape of `probabilities`.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `probabilities`.
/// - Precondition: probabilities and targets have equal shapes.
public func binaryCrossEntropy(
  fromProbabilities probabilities: Tensor, _ targets: Tensor, reduction: LossReduction = .mean, weights: Tensor? = nil
) -> Tensor {
  elementLoss("binaryCrossEntropy", probabilities, targets, reduction) { p, t in
    let losses = withGradient([p, t]) { gradient, inputs, _ in
      let (p, t) = (inputs[0], inputs[1])
      let slope = (p - t) / (p * (1 - p)).clamped(lower: 1e-12)
      return [gradient * slope, gradient * ((1 - p).safeLog() - p.safeLog())]
    } function: { inputs in
      let (p, t) = (inputs[0], inputs[1])
      return -(t * p.safeLog() + (1 - t) * (1 - p).safeLog())
    }
    return weighted(losses, weights)
  }
}

private func weighted(_ losses: Tensor, _ weights: Tensor?) -> Tensor {
  weights.map { losses * $0 } ?? losses
}

extension Tensor {
  /// `max(log x, −100)`, with a gradient of 0 at 0; NaN for NaN.
  func safeLog() -> Tensor {
    let hasNoLogarithm = self .<= 0
    let one = Tensor.number(1, dtype: dtype, device: device)
    return hasNoLogarithm.select(one * -100, hasNoLogarithm.select(one, self).log().clamped(lower: -100))
  }
}
