import ApusTensor

/// Attention on tensors that fit together.
struct AttentionProblem: Sendable {
  static let name = "scaledDotProductAttention"

  /// `[batch…, heads, queries, size]`; where heads are grouped `[batch…, groups, heads / groups, queries, size]`.
  let query: Tensor
  /// `[batch…, heads, keys, size]`; where heads are grouped `[batch…, groups, 1, keys, size]`.
  let key: Tensor
  /// As `key`, with a last axis of its own.
  let value: Tensor
  private(set) var masks: AttentionMasks
  let scale: Double
  let dropping: Dropping
  private let groups: Int?

  /// Checks the shapes, and reports what does not fit.
  init?(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, _ masks: AttentionMasks, scale: Double?, dropping: Dropping
  ) {
    if let reason = AttentionProblem.mistake(query, key, value) ?? AttentionProblem.mistake(masks) {
      ShapeError(AttentionProblem.name, reason).report()
      return nil
    }
    groups = AttentionProblem.groups(query, key)
    let heads = groups == nil ? nil : query.shape[query.rank - 3]
    let batches = [query, key, value].map { tensor in
      var batch = Shape(tensor.shape.dropLast(2))
      if let heads { batch[batch.rank - 1] = heads }
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
    self.dropping = dropping
    self.masks = masks
    if let groups {
      (self.query, self.key, self.value) = (query.grouped(groups), key.grouped(groups), value.grouped(groups))
      self.masks.masks = masks.masks.map { $0.rank < 3 ? $0 : $0.grouped(groups) }
    } else {
      (self.query, self.key, self.value) = (query, key, value)
    }
  }

  /// The number of heads that keys and values have, where it is another one than the queries'.
  private static func groups(_ query: Tensor, _ key: Tensor) -> Int? {
    guard query.rank > 2, key.rank > 2 else { return nil }
    let (heads, groups) = (query.shape[query.rank - 3], key.shape[key.rank - 3])
    return groups > 1 && heads > groups && heads % groups == 0 ? groups : nil
  }

  private static func mistake(_ query: Tensor, _ key: Tensor, _ value: Tensor) -> String? {
    for (tensor, layout) in [(query, "queries, size"), (key, "keys, size"), (value, "keys, width")] {
      guard tensor.rank >= 2 else { return "\(tensor.shape) is not [batch…, heads, \(layout)]" }
      guard tensor.dtype.isFloatingPoint else { return "\(tensor.shape) is \(tensor.dtype), not floating-point" }
    }
    guard query.shape.last == key.shape.last else {
      return "queries \(query.shape) and keys \(key.shape) have not one size"
    }
    guard key.shape[key.rank - 2] == value.shape[value.rank - 2] else {
      return "keys \(key.shape) and values \(value.shape) are not as many"
    }
    guard key.shape[key.rank - 2] > 0 else { return "there are no keys in \(key.shape)" }
    guard key.rank > 2, value.rank > 2, query.rank > 2 else { return nil }
    let (heads, others) = (query.shape[query.rank - 3], [key, value].map { $0.shape[$0.rank - 3] })
    guard others[0] == others[1] || others.contains(1) else {
      return "keys \(key.shape) and values \(value.shape) have not as many heads"
    }
    guard heads == 1 || others.allSatisfy({ $0 > 0 && heads % $0 == 0 }) else {
      return "the heads of keys \(key.shape) do not divide those of queries \(query.shape)"
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

// MARK: - The definition

extension AttentionProblem {
  /// `[batch…, heads, queries, keys]`: what each query takes of each value, in operations.
  func weights() -> Tensor {
    let (queries, keys) = (query.shape[query.rank - 2], key.shape[key.rank - 2])
    let products = (query * scale).matmul(key.transposed())
    let weights = products.inWideLane { products in
      var scores = products
      if let added = masks.added { scores = scores + added.cast(to: scores.dtype) }
      guard !masks.isEmpty else { return scores.softmax(axis: -1) }
      if let allowed = masks.allowed(queries, keys, query.device) {
        scores = allowed.select(scores, .number(-.infinity, dtype: scores.dtype, device: scores.device))
      }
      return scores.softmaxOrZeros()
    }
    return dropping.kept(weights.shape, weights.device, AttentionProblem.name)
      .map { dropping.apply($0, to: weights) } ?? weights
  }

  /// `[batch…, heads, queries, width]`.
  func output() -> Tensor { ungrouped(weights().matmul(value)) }

  /// Heads that were grouped side by side again.
  func ungrouped(_ tensor: Tensor) -> Tensor {
    guard groups != nil else { return tensor }
    let shape = tensor.shape
    let axis = tensor.rank - 4
    return tensor.reshaped(to: Shape(shape[..<axis] + [shape[axis] * shape[axis + 1]] + shape[(axis + 2)...]))
  }
}

extension Tensor {
  /// The heads, axis −3, as `[groups, heads / groups]`.
  fileprivate func grouped(_ groups: Int) -> Tensor {
    let axis = rank - 3
    let parts = shape[axis] == 1 ? [1, 1] : [groups, shape[axis] / groups]
    return reshaped(to: Shape(Array(shape[..<axis]) + parts + Array(shape[(axis + 1)...])))
  }

  /// The softmax of the last axis, or zeros, with zero gradients, where all of it is −∞.
  fileprivate func softmaxOrZeros() -> Tensor {
    let zero = Tensor.number(0, dtype: dtype, device: device)
    let peak = max([-1], keepingAxes: true).stopGradient()
    // −∞ − −∞ would be NaN.
    let numerator = (self - peak.isFinite().select(peak, zero)).exp()
    let sum = numerator.sum([-1], keepingAxes: true)
    return numerator / sum.equal(to: 0).select(.number(1, dtype: dtype, device: device), sum)
  }
}
