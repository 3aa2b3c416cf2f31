import ApusTensor

extension MultiheadAttention {
  /// An empty cache for `batch` sequences of at most `capacity` elements, of the type of the weights
  /// when left out.
  public func makeCache(
    batch: Int, capacity: Int, dtype: DType? = nil, device: ComputeDevice = .current
  ) -> KeyValueCache {
    KeyValueCache(
      batch: batch, heads: keyValueHeads, capacity: capacity, size: headSize, dtype: dtype ?? outProj.weight.dtype,
      device: device)
  }

  /// Attention of new elements to all that came before and to themselves, causally: piece by piece the same as
  /// all at once with `isCausal`.
  ///
  /// - Parameters:
  ///   - x: `[count, batch, size]`, or batch first, the elements behind those of the cache.
  ///   - cache: takes their keys and values in.
  ///   - keyMask: `[batch, capacity]`; `bool`, true where there is a key that may be attended to, false where there is padding,
  ///     or added.
  /// - Returns: `[count, batch, size]`.
  /// - Precondition: the layer adds no keys of its own.
  public func callAsFunction(_ x: Tensor, cache: inout KeyValueCache, keyMask: Tensor? = nil) -> Tensor {
    guard biasK == nil, !addsZeroKey else {
      ShapeError("MultiheadAttention", "a layer that adds keys of its own takes no cache").report()
      return x
    }
    guard x.rank == 3, x.shape[2] == size, keySize == size, valueSize == size else {
      let layout = isBatchFirst ? "[batch, count, \(size)]" : "[count, batch, \(size)]"
      let sizes = "queries, keys and values of sizes \(size), \(keySize) and \(valueSize)"
      ShapeError("MultiheadAttention", "\(x.shape) is not \(layout), for \(sizes)").report()
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
