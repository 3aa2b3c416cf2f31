import ApusTensor

/// The Kullback–Leibler divergence (1951; `torch.nn.KLDivLoss`) of target probabilities `t` from the probabilities
/// `eˣ`, whose logarithms `x` are given. The loss of each element is `t (log t − x)`, or 0 where `t` is 0 (NaN, as in
/// PyTorch, where a target given as a logarithm is −∞). The sum of these losses over the elements of an example is
/// `KL(t ‖ eˣ)`: use `.batchMean` for the mean divergence of a batch of vectors.
///
/// - Parameters:
///   - logProbabilities: any shape, for example from `logSoftmax()`.
///   - targets: the same shape: probabilities, or their logarithms if `targetsAreLogarithms`.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `logProbabilities`.
/// - Precondition: log-probabilities and targets have equal shapes.
public func klDivergence(
  _ logProbabilities: Tensor, _ targets: Tensor, targetsAreLogarithms: Bool = false,
  reduction: LossReduction = .mean
) -> Tensor {
  elementLoss("klDivergence", logProbabilities, targets, reduction) { x, t in
    if targetsAreLogarithms { return t.exp() * (t - x) }
    let one = Tensor.number(1, dtype: t.dtype, device: t.device)
    return t * ((t .> 0).select(t, one).log() - x)
  }
}
