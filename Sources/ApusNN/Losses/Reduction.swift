import ApusTensor

/// What becomes of the losses of single elements or examples.
public enum LossReduction: Sendable {
  case mean
  case sum
  case none
  /// The sum divided by the extent of the first axis, `[batch, …]`.
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

  /// Losses whose first axis is the batch.
  func callAsFunction(_ losses: Tensor) -> Tensor {
    self(losses, batch: losses.rank > 0 ? losses.shape[0] : 1)
  }
}

/// A loss that compares tensors of one shape element by element; where shapes differ, that is reported.
///
/// Losses of numbers of 16 bits are computed in `float32` and rounded once; in mixed precision they stay so.
/// - Parameter loss: gets the tensors in the type that they are computed in.
func comparing(_ name: String, _ tensors: [Tensor], _ loss: (_ tensors: [Tensor]) -> Tensor) -> Tensor {
  let first = tensors[0]
  if let other = tensors.first(where: { $0.shape != first.shape }) {
    ShapeError(name, "\(first.shape) and \(other.shape) differ; a loss does not broadcast").report()
    return first.sum()
  }
  return first.wide { wide in loss([wide] + tensors.dropFirst().map { $0.cast(to: wide.dtype) }) }
}

/// A loss of each element of `outputs` and `targets`, which have one shape, reduced.
func elementLoss(
  _ name: String, _ outputs: Tensor, _ targets: Tensor, _ reduction: LossReduction,
  _ loss: (_ output: Tensor, _ target: Tensor) -> Tensor
) -> Tensor {
  comparing(name, [outputs, targets]) { reduction(loss($0[0], $0[1])) }
}
