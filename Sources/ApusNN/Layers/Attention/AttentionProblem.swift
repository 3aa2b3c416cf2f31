import ApusTensor

/// Attention on tensors with compatible shapes.
struct AttentionProblem: Sendable {
  static let name = "scaledDotProductAttention"

  /// `[batch…, heads, queries, size]`.
  var query: Tensor
  /// `[batch…, heads, keys, size]`; the number of heads may be smaller than in `query`.
  var key: Tensor
  /// `[batch…, heads, keys, width]`; the number of heads may be smaller than in `query`.
  var value: Tensor
  let masks: AttentionMasks
  let scale: Double
  let dropping: Dropping
  /// The shape of the attention weights: `[batch…, heads, queries, keys]`.
  let full: Shape
  /// The number of heads of keys and values, if it is above 1 and each head serves several query heads (grouped-query
  /// attention). Otherwise `nil`: the axis of heads broadcasts.
  private let groups: Int?

  /// Checks the shapes. Reports an error and returns `nil` if they do not fit.
  init?(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, _ masks: AttentionMasks, scale: Double?, dropping: Dropping
  ) {
    if let reason = AttentionProblem.mistake(query, key, value) ?? AttentionProblem.mistake(masks) {
      ShapeError(AttentionProblem.name, reason).report()
      return nil
    }
    groups = AttentionProblem.groups(query, [key, value])
    let heads = groups == nil ? nil : query.shape[query.rank - 3]
    let batches = [query, key, value].map { tensor in
      var batch = Shape(tensor.shape.dropLast(2))
      if let heads, batch.rank > 0 { batch[batch.rank - 1] = heads }
      return batch
    }
    guard let common = batches.dropFirst().reduce(batches.first, { $0?.broadcast(with: $1) }) else {
      let shapes = "\(query.shape), \(key.shape) and \(value.shape)"
      ShapeError(AttentionProblem.name, "the leading axes of queries, keys and values \(shapes) do not broadcast")
        .report()
      return nil
    }
    let full = Shape(Array(common) + [query.shape[query.rank - 2], key.shape[key.rank - 2]])
    for mask in masks.masks where mask.shape.broadcast(with: full) != full {
      let reason = "the mask \(mask.shape) does not broadcast to [batch…, heads, queries, keys] = \(full)"
      ShapeError(AttentionProblem.name, reason).report()
      return nil
    }
    self.scale = scale ?? 1 / Double(max(query.shape[query.rank - 1], 1)).squareRoot()
    (self.query, self.key, self.value) = (query, key, value)
    (self.masks, self.dropping, self.full) = (masks, dropping, full)
  }

  /// The number of heads of keys and values, if it is above 1 and a proper divisor of the number of query heads;
  /// otherwise `nil`.
  private static func groups(_ query: Tensor, _ others: [Tensor]) -> Int? {
    guard query.rank > 2 else { return nil }
    let heads = query.shape[query.rank - 3]
    let groups = others.map { $0.rank > 2 ? $0.shape[$0.rank - 3] : 1 }.max() ?? 1
    return groups > 1 && heads > groups && heads % groups == 0 ? groups : nil
  }

  private static func mistake(_ query: Tensor, _ key: Tensor, _ value: Tensor) -> String? {
    for (tensor, layout) in [(query, "queries, size"), (key, "keys, size"), (value, "keys, width")] {
      guard tensor.rank >= 2 else { return "\(tensor.shape) is not [batch…, heads, \(layout)]" }
      guard tensor.dtype.isFloatingPoint else { return "\(tensor.shape) is \(tensor.dtype), not floating-point" }
    }
    guard query.shape.last == key.shape.last else {
      return "queries \(query.shape) and keys \(key.shape) must have the same size"
    }
    guard key.shape[key.rank - 2] == value.shape[value.rank - 2] else {
      return "keys \(key.shape) and values \(value.shape) must have the same length"
    }
    guard key.shape[key.rank - 2] > 0 else { return "\(key.shape) has no keys" }
    guard key.rank > 2, value.rank > 2, query.rank > 2 else { return nil }
    let (heads, others) = (query.shape[query.rank - 3], [key, value].map { $0.shape[$0.rank - 3] })
    guard others[0] == others[1] || others.contains(1) else {
      return "keys \(key.shape) and values \(value.shape) must have the same number of heads"
    }
    guard heads == 1 || others.allSatisfy({ $0 > 0 && heads % $0 == 0 }) else {
      return "the number of heads of keys \(key.shape) must divide the number of heads of queries \(query.shape)"
    }
    return nil
  }

  private static func mistake(_ masks: AttentionMasks) -> String? {
    for mask in masks.masks where mask.dtype != .bool && !mask.dtype.isFloatingPoint {
      return "the mask \(mask.shape) is \(mask.dtype), neither bool nor floating-point"
    }
    guard let offset = masks.queryOffset, offset.rank > 0 || !offset.dtype.isInteger else { return nil }
    return "the offset of the queries is \(offset.dtype) \(offset.shape), not one integer"
  }
}

extension AttentionProblem {
  /// `[batch…, heads, queries, width]`.
  var outputShape: Shape { Shape(full.dropLast() + [value.shape[value.rank - 1]]) }

  /// The output, computed by the fused step or, if the step does not support the configuration, by the definition in
  /// ordinary operations.
  func output() -> Tensor {
    let random = dropoutKey()
    return fusedOutput(random) ?? weighted(random).output
  }

  /// The output computed by the definition, and the attention weights.
  func weighted(_ random: RandomKey?) -> (output: Tensor, weights: Tensor) {
    let results = inWideLane { problem in
      let weights = problem.weights(random)
      return [problem.output(weights), weights]
    }
    return (results[0], results[1])
  }

  /// Runs `body` in the precision of the fused step: without rounded factors and, if all operands have 16 bits, in
  /// `float32` with one rounding at the end. Scores rounded before the softmax would lose small differences.
  private func inWideLane(_ body: (AttentionProblem) -> [Tensor]) -> [Tensor] {
    let dtype = DType.promoted(DType.promoted(query.dtype, key.dtype), value.dtype)
    guard dtype == .float16 || dtype == .bfloat16 else { return withPrecision(.float32) { body(self) } }
    var wide = self
    (wide.query, wide.key, wide.value) = (query.wideLane, key.wideLane, value.wideLane)
    return withPrecision(.float32) { body(wide) }.map { $0.cast(to: dtype) }
  }

  /// The key of the dropout mask, or `nil` without dropout.
  func dropoutKey() -> RandomKey? { dropping.rate > 0 ? dropping.key(AttentionProblem.name) : nil }
}

// MARK: - The definition

extension AttentionProblem {
  /// `[batch…, heads, queries, keys]`: the attention weights, computed with ordinary operations.
  func weights(_ random: RandomKey?) -> Tensor {
    let products = (grouped(query) * scale).matmul(grouped(key).transposed())
    var scores = products.reshaped(to: full)
    if let added = masks.added { scores = scores + added.cast(to: scores.dtype) }
    let weights =
      masks.isEmpty
      ? scores.softmax(axis: -1)
      : scores.softmaxOrZeros(masks.allowed(full[full.rank - 2], full[full.rank - 1], query.device))
    return random.map { dropping.apply(dropping.kept(full, query.device, $0), to: weights) } ?? weights
  }

  /// `[batch…, heads, queries, width]`: for each query the sum of the values, weighted by `weights`.
  func output(_ weights: Tensor) -> Tensor {
    let sums = grouped(weights).matmul(grouped(value))
    return sums.reshaped(to: outputShape)
  }

  /// Reshapes the heads, axis −3, to `[groups, heads / groups]`; a single head is shared by all groups.
  private func grouped(_ tensor: Tensor) -> Tensor {
    guard var groups, tensor.rank > 2 else { return tensor }
    let (axis, shape) = (tensor.rank - 3, tensor.shape)
    groups = min(groups, shape[axis])
    return tensor.reshaped(to: shape.replacing(axis: axis, with: [groups, shape[axis] / groups]))
  }
}

extension Tensor {
  /// The softmax over the allowed elements of the last axis; zeros, with zero gradients, where no element is allowed or
  /// all allowed elements are −∞.
  ///
  /// Finite scores give no infinite intermediate values, which anomaly detection would report.
  fileprivate func softmaxOrZeros(_ allowed: Tensor?) -> Tensor {
    func number(_ value: Double) -> Tensor { .number(value, dtype: dtype, device: device) }
    let lowest = dtype == .float64 ? -Double.greatestFiniteMagnitude : -Double(Float.greatestFiniteMagnitude)
    let scores = allowed.map { $0.select(self, number(lowest)) } ?? self
    var numerator = (scores - scores.exponentialShift([-1])).exp()
    if let allowed { numerator = allowed.select(numerator, number(0)) }
    let sum = numerator.sum(axis: -1, keepingAxes: true)
    return numerator / (sum .== 0).select(number(1), sum)
  }
}
