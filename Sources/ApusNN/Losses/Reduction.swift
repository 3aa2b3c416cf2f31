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

/// Checks that tensors which a loss compares element by element have one shape, and brings them to a type of floats.
/// - Returns: as many tensors; `nil` where shapes differ, which is reported then.
func alike(_ name: String, _ tensors: [Tensor]) -> [Tensor]? {
  let first = tensors[0]
  if let other = tensors.first(where: { $0.shape != first.shape }) {
    ShapeError(name, "\(first.shape) and \(other.shape) differ; a loss does not broadcast").report()
    return nil
  }
  let dtype: DType = first.dtype.isFloatingPoint ? first.widened.dtype : .float32
  return tensors.map { $0.cast(to: dtype) }
}

/// A loss of each element of `outputs` and `targets`, which have one shape, reduced.
func elementLoss(
  _ name: String, _ outputs: Tensor, _ targets: Tensor, _ reduction: LossReduction,
  _ loss: (_ output: Tensor, _ target: Tensor) -> Tensor
) -> Tensor {
  guard let pair = alike(name, [outputs, targets]) else { return outputs.sum() }
  return reduction(loss(pair[0], pair[1]))
}
