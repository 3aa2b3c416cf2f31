import ApusTensor

extension MultiheadAttention {
  /// An empty cache for `batch` sequences of at most `capacity` elements.
  /// - Parameter dtype: the type of the elements; by default the type of the weights.
  public func makeCache(
    batch: Int, capacity: Int, dtype: DType? = nil, device: ComputeDevice = .current
  ) -> KeyValueCache {
    KeyValueCache(
      batch: batch, heads: keyValueHeads, capacity: capacity, size: headSize, dtype: dtype ?? outProj.weight.dtype,
      device: device)
  }

  /// Causal attention of new elements to the cached elements and to each other. Calls with consecutive chunks give the
  /// same result as one call with the whole sequence and `isCausal`.
  ///
  /// - Parameters:
  ///   - x: the elements after those in the cache: `[count, batch, size]`, or `[batch, count, size]` if the layer is
  ///     batch first.
  ///   - cache: the cache, to which keys and values are appended.
  ///   - keyMask: `[batch, capacity]`: `bool` (true for keys that may be attended to, false for padding), or numbers
  ///     that are added to the scores.
  /// - Returns: the result, in the shape of `x`.
  /// - Precondition: the layer adds no keys; queries, keys and values have the same size; and the capacity suffices.
  public func callAsFunction(_ x: Tensor, cache: inout KeyValueCache, keyMask: Tensor? = nil) -> Tensor {
    guard biasK == nil, !addsZeroKey else {
      ShapeError("MultiheadAttention", "a layer that adds keys cannot use a cache").report()
      return x
    }
    guard keySize == size, valueSize == size else {
      let sizes = "\(size), \(keySize) and \(valueSize)"
      ShapeError("MultiheadAttention", "a cache needs queries, keys and values of one size, not \(sizes)").report()
      return x
    }
    guard x.rank == 3, x.shape[2] == size else {
      let layout = isBatchFirst ? "[batch, count, \(size)]" : "[count, batch, \(size)]"
      ShapeError("MultiheadAttention", "\(x.shape) is not \(layout)").report()
      return x
    }
    var heads = projected(x, x, x)
    let offset = cache.end
    if let rotary {
      (heads.query, heads.key) = (rotary(heads.query, offset: offset), rotary(heads.key, offset: offset))
    }
    cache.append(heads.key, heads.value)
    (heads.key, heads.value) = (cache.keys, cache.values)
    return problem(heads, nil, keyMask, isCausal: true, offset: offset).map { joined($0.output(), x) } ?? x
  }
}
