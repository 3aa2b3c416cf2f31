import ApusTensor

/// The divergence of Kullback and Leibler (1951) of a distribution `t` from one that is given by its logarithms `x`:
/// `t (log t − x)` of each element, 0 where `t` is 0 (`torch.nn.KLDivLoss`). Summed over the elements of an example it
/// is `KL(t ‖ eˣ)`: for the mean of the divergences of a batch of vectors take `.batchMean`.
///
/// - Parameters:
///   - logProbabilities: any shape, for example of `logSoftmax()`.
///   - targets: the same shape: probabilities, or their logarithms where `targetsAreLogarithms`.
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
