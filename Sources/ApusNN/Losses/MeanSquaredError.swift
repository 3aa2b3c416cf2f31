import ApusTensor

/// `(x − t)²` of each element, reduced.
///
/// - Parameters:
///   - outputs: any shape.
///   - targets: the same shape.
public func meanSquaredError(
  _ outputs: Tensor, _ targets: Tensor, reduction: LossReduction = .mean
) -> Tensor {
  elementLoss("meanSquaredError", outputs, targets, reduction) { ($0 - $1).squared() }
}
