import ApusTensor

/// `|x − t|` for each output `x` and its target `t`, reduced (`torch.nn.L1Loss`). The gradient is 0 where output and
/// target are equal.
///
/// - Parameters:
///   - outputs: any shape.
///   - targets: the same shape.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `outputs`.
/// - Precondition: outputs and targets have equal shapes.
public func meanAbsoluteError(_ outputs: Tensor, _ targets: Tensor, reduction: LossReduction = .mean) -> Tensor {
  elementLoss("meanAbsoluteError", outputs, targets, reduction) { ($0 - $1).abs() }
}
