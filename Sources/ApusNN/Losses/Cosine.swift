import ApusTensor

/// `Σ a b / (max(‖a‖, ε) max(‖b‖, ε))` for the vectors `a` of `first` and `b` of `second` along an axis
/// (`torch.nn.CosineSimilarity`): 1 for parallel vectors, −1 for opposite ones.
///
/// - Parameters:
///   - first, second: tensors of equal shape.
/// - Returns: a tensor of the shape of `first` without `axis`.
public func cosineSimilarity(_ first: Tensor, _ second: Tensor, axis: Int = 1, epsilon: Double = 1e-8) -> Tensor {
  comparing("cosineSimilarity", [first, second]) { pair in
    let norms = pair.map { $0.norm(axes: [axis]).clamped(lower: epsilon) }
    return (pair[0] * pair[1]).sum(axis: axis) / (norms[0] * norms[1])
  }
}

/// `1 − cosineSimilarity` of each pair of vectors.
///
/// - Parameters:
///   - outputs: `[batch, features]`, or any shape with features along `axis`.
///   - targets: the same shape.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `outputs` without `axis`.
/// - Precondition: outputs and targets have equal shapes.
public func cosineDistance(
  _ outputs: Tensor, _ targets: Tensor, axis: Int = 1, epsilon: Double = 1e-8, reduction: LossReduction = .mean
) -> Tensor {
  comparing("cosineDistance", [outputs, targets]) {
    reduction(1 - cosineSimilarity($0[0], $0[1], axis: axis, epsilon: epsilon))
  }
}

/// `1 − cos(a, b)` where the target is 1, `max(0, cos(a, b) − margin)` where it is −1, for the vectors `a` of `first`
/// and `b` of `second` (`torch.nn.CosineEmbeddingLoss`). As in PyTorch, the norms in `cos` are `√(Σ a² + 10⁻¹²)` and
/// `√(Σ b² + 10⁻¹²)`.
///
/// - Parameters:
///   - first, second: `[batch, features]`, or `[features]` for a single example.
///   - targets: `[batch]`, or `[]` for a single example: 1 or −1.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `targets`.
/// - Precondition: `first` and `second` have equal shapes, and there is one target for each pair.
public func cosineEmbedding(
  _ first: Tensor, _ second: Tensor, _ targets: Tensor, margin: Double = 0, reduction: LossReduction = .mean
) -> Tensor {
  if first.rank == 1, second.rank == 1, targets.rank == 0 {
    return ofOneExample(first, targets) {
      cosineEmbedding($0, second.expandingAxis(at: 0), $1, margin: margin, reduction: reduction)
    }
  }
  guard first.rank == 2, targets.shape == [first.shape[0]] else {
    ShapeError(
      "cosineEmbedding", "targets \(targets.shape) must be one for each vector of \(first.shape), [batch, features]"
    ).report()
    return first.sum()
  }
  return comparing("cosineEmbedding", [first, second]) { pair in
    let squares = pair.map { $0.squared().sum(axis: 1) + 1e-12 }
    let cosine = (pair[0] * pair[1]).sum(axis: 1) / (squares[0] * squares[1]).sqrt()
    return reduction((targets .> 0).select(1 - cosine, (cosine - margin).relu()))
  }
}
