import ApusTensor

/// `max(0, 1 − t x)` for each output `x` and its target `t` (Cortes, Vapnik, 1995).
///
/// - Parameters:
///   - outputs: any shape.
///   - targets: the same shape: 1 or −1.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `outputs`.
/// - Precondition: outputs and targets have equal shapes.
public func hinge(_ outputs: Tensor, _ targets: Tensor, reduction: LossReduction = .mean) -> Tensor {
  elementLoss("hinge", outputs, targets, reduction) { x, t in hinge(t * x, margin: 1) }
}

/// `max(0, 1 − t x)²` for each output `x` and its target `t`; it is differentiable everywhere.
///
/// - Parameters:
///   - outputs: any shape.
///   - targets: the same shape: 1 or −1.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `outputs`.
/// - Precondition: outputs and targets have equal shapes.
public func squaredHinge(_ outputs: Tensor, _ targets: Tensor, reduction: LossReduction = .mean) -> Tensor {
  elementLoss("squaredHinge", outputs, targets, reduction) { x, t in hinge(t * x, margin: 1).squared() }
}

/// `max(0, margin − x)` for each element `x`.
private func hinge(_ x: Tensor, margin: Double) -> Tensor { (margin - x).relu() }

/// `max(0, near − far + margin)` for each pair of elements, in the broadcast shape.
func marginExcess(_ near: Tensor, _ far: Tensor, _ margin: Double) -> Tensor { (near - far + margin).relu() }

/// `log(1 + e^(−t x))` for each output `x` and its target `t` (`torch.nn.SoftMarginLoss`).
///
/// - Parameters:
///   - outputs: any shape.
///   - targets: the same shape: 1 or −1.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `outputs`.
/// - Precondition: outputs and targets have equal shapes.
public func softMargin(_ outputs: Tensor, _ targets: Tensor, reduction: LossReduction = .mean) -> Tensor {
  elementLoss("softMargin", outputs, targets, reduction) { x, t in (-t * x).softplus() }
}

/// `x` where the target is 1, `max(0, margin − x)` where it is −1, for distances `x` (Hadsell et al., 2006;
/// `torch.nn.HingeEmbeddingLoss`).
///
/// - Parameters:
///   - distances: any shape.
///   - targets: the same shape: 1 or −1.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `distances`.
/// - Precondition: distances and targets have equal shapes.
public func hingeEmbedding(
  _ distances: Tensor, _ targets: Tensor, margin: Double = 1, reduction: LossReduction = .mean
) -> Tensor {
  elementLoss("hingeEmbedding", distances, targets, reduction) { x, t in
    (t .> 0).select(x, hinge(x, margin: margin))
  }
}

/// `max(0, margin − t (x₁ − x₂))`: `x₁` should rank above `x₂` where the target `t` is 1, and below `x₂` where `t` is
/// −1 (`torch.nn.MarginRankingLoss`).
///
/// - Parameters:
///   - first, second: `x₁` and `x₂`, tensors of equal shape.
///   - targets: the same shape: 1 or −1.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `first`.
/// - Precondition: all shapes are equal.
public func marginRanking(
  _ first: Tensor, _ second: Tensor, _ targets: Tensor, margin: Double = 0, reduction: LossReduction = .mean
) -> Tensor {
  comparing("marginRanking", [first, second, targets]) { reduction(hinge($0[2] * ($0[0] - $0[1]), margin: margin)) }
}

/// `Σ_{j≠t} w_t max(0, margin − x_t + xⱼ)ᵖ / classes` for the outputs `x` and the target class `t` of each example
/// (Crammer, Singer, 2001; `torch.nn.MultiMarginLoss`).
///
/// - Parameters:
///   - outputs: `[batch, classes]`, or `[classes]` for a single example.
///   - targets: integers in `0 ..< classes`, `[batch]`, or `[]` for a single example.
///   - power: `p`, 1 or 2.
///   - weights: `w`, `[classes]`.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `targets`.
/// - Throws (when the value is read): `DeviceError.indexOutOfRange` for a target that is not a class.
public func multiMargin(
  _ outputs: Tensor, _ targets: Tensor, power: Int = 1, margin: Double = 1, weights: Tensor? = nil,
  reduction: LossReduction = .mean
) -> Tensor {
  if outputs.rank == 1 {
    return ofOneExample(outputs, targets) {
      multiMargin($0, $1, power: power, margin: margin, weights: weights, reduction: reduction)
    }
  }
  guard fits(targets, outputs, weights, "multiMargin") else { return outputs.sum() }
  guard outputs.rank == 2 else {
    ShapeError("multiMargin", "outputs \(outputs.shape) are not [batch, classes]").report()
    return outputs.sum()
  }
  guard power == 1 || power == 2 else {
    ShapeError("multiMargin", "power \(power) is not 1 or 2").report()
    return outputs.sum()
  }
  return outputs.wide { x in
    let choice = ClassChoice(targets, like: x, ignoring: nil, weights: weights, for: "multiMargin")
    let own = x.picking(choice.classes, axis: 1, for: "multiMargin").expandingAxis(at: 1)
    let gaps = marginExcess(x, own, margin)
    let isOther = choice.classes.cast(to: .int64).oneHot(x.shape[1], dtype: x.dtype) .== 0
    let powers = power == 1 ? gaps : gaps.squared()
    let zero = Tensor.number(0, dtype: x.dtype, device: x.device)
    let losses = isOther.select(powers, zero).mean(axis: 1)
    return reduction(choice.weights.map { losses * $0 } ?? losses)
  }
}
