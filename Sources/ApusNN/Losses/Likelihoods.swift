import ApusTensor

/// The negative log-likelihood of counts `t` under Poisson distributions: `eˣ − t x` for logarithms `x` of rates, or
/// `x − t log(x + ε)` for rates `x` (`torch.nn.PoissonNLLLoss`).
///
/// - Parameters:
///   - outputs: any shape: logarithms of rates, or rates.
///   - targets: the same shape: counts.
///   - outputsAreLogarithms: `true` for the first formula; `false` for the second, the only one with `ε`.
///   - isFull: whether Stirling's approximation of `log t!`, `t log t − t + log(2πt) / 2`, is added where `t > 1`.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `outputs`.
/// - Precondition: outputs and targets have equal shapes.
public func poissonNegativeLogLikelihood(
  _ outputs: Tensor, _ targets: Tensor, outputsAreLogarithms: Bool = true, isFull: Bool = false,
  epsilon: Double = 1e-8, reduction: LossReduction = .mean
) -> Tensor {
  elementLoss("poissonNegativeLogLikelihood", outputs, targets, reduction) { x, t in
    let losses = outputsAreLogarithms ? x.exp() - t * x : x - t * (x + epsilon).log()
    guard isFull else { return losses }
    let isLarge = t .> 1
    let count = isLarge.select(t, Tensor.number(1, dtype: t.dtype, device: t.device))
    let stirling = count * count.log() - count + (count * (2 * Double.pi)).log() * 0.5
    return losses + isLarge.select(stirling, Tensor.number(0, dtype: t.dtype, device: t.device))
  }
}

/// The negative log-likelihood of targets `t` under normal distributions with means `x`: `(log v + (x − t)² / v) / 2`
/// with `v = max(variance, ε)` (Nix, Weigend, 1994; `torch.nn.GaussianNLLLoss`). A variance below `ε` gets the gradient
/// of `v`, so that it can grow again.
///
/// - Parameters:
///   - means, targets: tensors of equal shape.
///   - variances: the same shape, or a shape that broadcasts to it.
///   - isFull: whether the constant `log(2π) / 2` is added.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `means`.
/// - Precondition: means and targets have equal shapes.
public func gaussianNegativeLogLikelihood(
  _ means: Tensor, _ targets: Tensor, variances: Tensor, isFull: Bool = false, epsilon: Double = 1e-6,
  reduction: LossReduction = .mean
) -> Tensor {
  elementLoss("gaussianNegativeLogLikelihood", means, targets, reduction) { x, t in
    // `v` has the clamped value, but the gradient of `variances`: what clamping adds counts as a constant.
    let variances = variances.cast(to: x.dtype)
    let v = variances + (variances.clamped(lower: epsilon) - variances).stopGradient()
    let losses = (v.log() + (x - t).squared() / v) * 0.5
    return isFull ? losses + 0.9189385332046727 : losses
  }
}
