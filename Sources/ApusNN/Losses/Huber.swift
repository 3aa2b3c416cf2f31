import ApusTensor

/// With the distance `d = |x − t|` of each output `x` and its target `t`: `d² / 2` up to `delta`,
/// `delta · (d − delta / 2)` beyond (Huber, 1964; `torch.nn.HuberLoss`).
///
/// - Parameters:
///   - outputs: any shape.
///   - targets: the same shape.
///   - delta: above 0.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `outputs`.
/// - Precondition: outputs and targets have equal shapes.
public func huber(
  _ outputs: Tensor, _ targets: Tensor, delta: Double = 1, reduction: LossReduction = .mean
) -> Tensor {
  elementLoss("huber", outputs, targets, reduction) { x, t in
    // Squares `difference`: a square of `distance` would have the second derivative 0 where output and target are
    // equal.
    let difference = x - t
    let distance = difference.abs()
    return (distance .< delta).select(difference.squared() * 0.5, (distance - 0.5 * delta) * delta)
  }
}

/// With the distance `d = |x − t|` of each output `x` and its target `t`: `d² / (2 · beta)` below `beta`, otherwise
/// `d − beta / 2` (Girshick, 2015; `torch.nn.SmoothL1Loss`). It equals `huber` with `delta = beta`, divided by `beta`;
/// a `beta` of 0 gives the absolute error.
///
/// - Parameters:
///   - outputs: any shape.
///   - targets: the same shape.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `outputs`.
/// - Precondition: outputs and targets have equal shapes.
public func smoothL1(
  _ outputs: Tensor, _ targets: Tensor, beta: Double = 1, reduction: LossReduction = .mean
) -> Tensor {
  elementLoss("smoothL1", outputs, targets, reduction) { x, t in
    let difference = x - t
    let distance = difference.abs()
    guard beta > 0 else { return distance }
    return (distance .< beta).select(difference.squared() * (0.5 / beta), distance - 0.5 * beta)
  }
}
