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
    roundedDistance(x, t, below: delta, factor: 0.5, slope: delta)
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
    beta > 0 ? roundedDistance(x, t, below: beta, factor: 0.5 / beta) : (x - t).abs()
  }
}

/// With the distance `d = |x − t|`: `factor · d²` below `limit`, otherwise `slope · (d − limit / 2)`. A slope of `nil`
/// stands for 1.
private func roundedDistance(
  _ x: Tensor, _ t: Tensor, below limit: Double, factor: Double, slope: Double? = nil
) -> Tensor {
  // Squares `difference`: a square of `distance` would have the second derivative 0 where output and target are equal.
  let difference = x - t
  let distance = difference.abs()
  let line = distance - 0.5 * limit
  return (distance .< limit).select(difference.squared() * factor, slope.map { line * $0 } ?? line)
}
