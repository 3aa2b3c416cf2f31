import ApusTensor

extension Optimizer {
  /// What becomes of the losses and gradients of several batches.
  public enum Accumulation: Sendable {
    case sum
    case mean
  }

  /// Takes one step against the gradients of several losses, whose sum or mean is minimized: with means over batches of
  /// one size that of one large batch. Each loss is computed, and its memory given back, before the next is built.
  ///
  /// - Parameters:
  ///   - count: how many losses there are.
  ///   - clipNorm: the largest norm of their sum or mean; a longer one is scaled down to it.
  ///   - loss: builds the loss of a batch, 0 being the first.
  /// - Returns: the sum or mean of the losses before the step. It is evaluated, but not waited for.
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
