import ApusTensor

/// `‖a − b + ε‖ₚ` for the vectors `a` of `first` and `b` of `second` along the last axis (`torch.nn.PairwiseDistance`).
///
/// - Parameters:
///   - first, second: `[…, features]`.
/// - Returns: a tensor of the shape of `first` without the last axis.
/// - Precondition: both shapes are equal.
public func pairwiseDistance(_ first: Tensor, _ second: Tensor, p: Double = 2, epsilon: Double = 1e-6) -> Tensor {
  comparing("pairwiseDistance", [first, second]) { ($0[0] - $0[1] + epsilon).norm(p, axes: [-1]) }
}

/// `max(0, d(anchor, positive) − d(anchor, negative) + margin)` with `d = pairwiseDistance` (Schroff et al., 2015;
/// `torch.nn.TripletMarginLoss`).
///
/// - Parameters:
///   - anchor, positive, negative: `[…, features]`.
///   - p: the exponent of the norm in `pairwiseDistance`.
///   - swaps: whether the smaller of `d(anchor, negative)` and `d(positive, negative)` replaces `d(anchor, negative)`
///     (Balntas et al., 2016).
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `anchor` without the last axis.
/// - Precondition: all three shapes are equal.
public func tripletMargin(
  _ anchor: Tensor, _ positive: Tensor, _ negative: Tensor, margin: Double = 1, p: Double = 2, epsilon: Double = 1e-6,
  swaps: Bool = false, reduction: LossReduction = .mean
) -> Tensor {
  comparing("tripletMargin", [anchor, positive, negative]) { all in
    let near = pairwiseDistance(all[0], all[1], p: p, epsilon: epsilon)
    var far = pairwiseDistance(all[0], all[2], p: p, epsilon: epsilon)
    if swaps { far = far.minimum(pairwiseDistance(all[1], all[2], p: p, epsilon: epsilon)) }
    return reduction(marginExcess(near, far, margin))
  }
}
