import ApusTensor

/// `(x − t)²` for each output `x` and its target `t`, reduced as `reduction` says (`torch.nn.MSELoss`).
///
/// - Parameters:
///   - outputs: any shape.
///   - targets: the same shape.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `outputs`.
/// - Precondition: outputs and targets have equal shapes: a loss does not broadcast, unlike in PyTorch.
public func meanSquaredError(
  _ outputs: Tensor, _ targets: Tensor, reduction: LossReduction = .mean
) -> Tensor {
  elementLoss("meanSquaredError", outputs, targets, reduction) { ($0 - $1).squared() }
}
