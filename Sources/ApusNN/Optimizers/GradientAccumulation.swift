import ApusTensor

extension Optimizer {
  /// How the losses and gradients of several batches are combined.
  public enum Accumulation: Sendable {
    case sum
    case mean
  }

  /// Takes one step to minimize the sum or the mean of several losses. If each loss is the mean over a batch and all
  /// batches have equal size, `.mean` gives the step of one large batch, except that batch norms use the statistics of
  /// each batch. Each loss is evaluated and its memory freed before the next loss is built.
  ///
  /// - Parameters:
  ///   - count: the number of losses, at least 1.
  ///   - clipNorm: the maximum norm of the summed or averaged gradients; gradients with a larger norm are scaled down
  ///     to this norm.
  ///   - loss: builds the loss of a batch, a tensor of one element; `batch` is 0 for the first batch.
  /// - Returns: the sum or mean of the losses before the step, in the shape of a loss. Its computation is scheduled,
  ///   but the host does not wait for it.
  /// - Throws: as `minimize(clipNorm:_:)`.
  @discardableResult
  public func minimize(
    over count: Int, _ accumulation: Accumulation = .mean, clipNorm: Double? = nil,
    _ loss: (_ batch: Int) throws -> Tensor
  ) throws -> Tensor {
    guard count > 0 else { fatalError("Optimizer: a step needs at least one batch") }
    try prepare()
    return try restoring { try minimized(over: count, accumulation, clipNorm, loss) }
  }

  private func minimized(
    over count: Int, _ accumulation: Accumulation, _ clipNorm: Double?, _ loss: (_ batch: Int) throws -> Tensor
  ) throws -> Tensor {
    var (total, value): (Gradients?, Tensor?) = (nil, nil)
    for batch in 0..<count {
      var (next, gradients) = try valueAndGradients { try loss(batch) }
      next = value.map { $0 + next } ?? next
      gradients = total.take().map { $0.adding(gradients) } ?? gradients
      value = nil
      if batch + 1 < count { try eval([next] + (gradients.tensors + [gradients.isFinite]).compactMap { $0 }) }
      (value, total) = (next, gradients)
    }
    guard let value, let total else { fatalError("Optimizer: no batch") }
    guard accumulation == .mean, count > 1 else {
      value.evaluateWithNext()
      try update(clipNorm.map { total.clipped(toNorm: $0) } ?? total)
      return value
    }
    let mean = value * (1 / Double(count))
    mean.evaluateWithNext()
    let scaled = total.scaled(by: 1 / Double(count))
    try update(clipNorm.map { scaled.clipped(toNorm: $0) } ?? scaled)
    return mean
  }
}
