import ApusTensor

/// How the losses of single elements or examples are reduced. All cases but `none` give a scalar, of shape `[]`.
public enum LossReduction: Sendable {
  /// The mean of all losses.
  case mean
  /// The sum of all losses.
  case sum
  /// No reduction: the loss of each element or example.
  case none
  /// The sum divided by the number of examples: the extent of the first axis, `[batch, …]`.
  case batchMean

  /// - Parameter batch: the number of examples, for `batchMean`.
  func callAsFunction(_ losses: Tensor, batch: Int) -> Tensor {
    switch self {
    case .mean: losses.mean()
    case .sum: losses.sum()
    case .none: losses
    case .batchMean: losses.sum() / Double(max(batch, 1))
    }
  }

  /// Reduces losses whose first axis is the batch.
  func callAsFunction(_ losses: Tensor) -> Tensor {
    self(losses, batch: losses.rank > 0 ? losses.shape[0] : 1)
  }
}

/// A loss that compares tensors of equal shape. Reports an error if shapes differ.
///
/// Losses of 16-bit values are computed in `float32` and rounded once; in mixed precision they stay `float32`.
/// - Parameter loss: computes the loss from the tensors, which are cast to the type of the computation.
func comparing(_ name: String, _ tensors: [Tensor], _ loss: (_ tensors: [Tensor]) -> Tensor) -> Tensor {
  let first = tensors[0]
  if let other = tensors.first(where: { $0.shape != first.shape }) {
    ShapeError(name, "shapes \(first.shape) and \(other.shape) differ; a loss does not broadcast").report()
    return first.sum()
  }
  return first.wide { wide in loss([wide] + tensors.dropFirst().map { $0.cast(to: wide.dtype) }) }
}

/// An elementwise loss of `outputs` and `targets` of equal shape, reduced.
func elementLoss(
  _ name: String, _ outputs: Tensor, _ targets: Tensor, _ reduction: LossReduction,
  _ loss: (_ output: Tensor, _ target: Tensor) -> Tensor
) -> Tensor {
  comparing(name, [outputs, targets]) { reduction(loss($0[0], $0[1])) }
}
