import ApusTensor

/// `(x − t)²` of each element, reduced.
///
/// - Parameters:
///   - outputs: any shape.
///   - targets: the same shape.
public func meanSquaredError(
  _ outputs: Tensor, _ targets: Tensor, reduction: LossReduction = .mean
) -> Tensor {
  if outputs.shape != targets.shape {
    ShapeError("meanSquaredError", "outputs \(outputs.shape) and targets \(targets.shape) differ").report()
    return outputs.sum()
  }
  return reduction((outputs - targets.cast(to: outputs.dtype)).squared())
}
