import ApusTensor

/// Queries, `[batch, heads, length, size / heads]`, and keys and values,
/// `[batch, keyValueHeads, length, size / heads]`.
struct AttentionHeads: Sendable {
  var query: Tensor
  var key: Tensor
  var value: Tensor
}

extension MultiheadAttention {
  /// Projects the inputs to heads. Rotates queries and keys if the layer has rotary positions, and appends additional
  /// keys if the layer has any. Reports an error and returns `nil` if the inputs do not fit.
  func problem(
    _ query: Tensor, _ key: Tensor?, _ value: Tensor?, _ mask: Tensor?, _ keyMask: Tensor?, _ isCausal: Bool
  ) -> AttentionProblem? {
    let key = key ?? query
    guard check(query, key, value ?? key) else { return nil }
    var heads = projected(query, key, value ?? key)
    if let rotary { (heads.query, heads.key) = (rotary(heads.query), rotary(heads.key)) }
    return problem(heads, mask, keyMask, isCausal: isCausal, offset: nil)
  }

  func problem(
    _ heads: AttentionHeads, _ mask: Tensor?, _ keyMask: Tensor?, isCausal: Bool, offset: Tensor?
  ) -> AttentionProblem? {
    guard let keyMask = checked(keyMask, heads.key) else { return nil }
    var masks = AttentionMasks([mask, keyMask.tensor].compactMap(\.self), isCausal: isCausal, queryOffset: offset)
    let heads = extended(heads, &masks)
    return AttentionProblem(heads.query, heads.key, heads.value, masks, scale: nil, dropping: dropping)
  }

  /// Adds a batch axis to one example.
  func batchOfOne(
    _ query: Tensor, _ key: Tensor?, _ value: Tensor?, _ keyMask: Tensor?
  ) -> (query: Tensor, key: Tensor?, value: Tensor?, keyMask: Tensor?) {
    let spread = { (x: Tensor) in x.rank == 2 ? x.expandingAxis(at: isBatchFirst ? 0 : 1) : x }
    // Inputs that are the same tensor stay the same tensor, so that one product projects them. In the result, a key of
    // `nil` means the query, and a value of `nil` means the key.
    let isSelf = key.map { $0.identity == query.identity } ?? true
    let hasOneSource = value.map { $0.identity == (key ?? query).identity } ?? true
    return (
      spread(query), isSelf ? nil : key.map(spread), hasOneSource ? nil : value.map(spread),
      keyMask.map { $0.rank == 1 ? $0.expandingAxis(at: 0) : $0 }
    )
  }

  // MARK: Projections

  /// The biases of queries, keys and values, split from the bias of the input projection.
  private var biases: [Tensor?] {
    inProjBias.map { $0.value.split(into: [size, groupSize, groupSize]) } ?? [nil, nil, nil]
  }

  func projected(_ query: Tensor, _ key: Tensor, _ value: Tensor) -> AttentionHeads {
    let extents = [size, groupSize, groupSize]
    let parts: [Tensor]
    if let weight = inProjWeight, query.identity == key.identity, key.identity == value.identity {
      let all = Linear(weight: weight, bias: inProjBias)(query)
      parts = all.split(into: extents, axis: 2)
    } else {
      let weights = weights
      parts = zip([query, key, value], zip(weights, biases)).map { $0.linear(weight: $1.0, bias: $1.1) }
    }
    return AttentionHeads(query: split(parts[0]), key: split(parts[1]), value: split(parts[2]))
  }

  /// Projects only keys and values to heads.
  func projected(_ key: Tensor, _ value: Tensor) -> (key: Tensor, value: Tensor) {
    let (weights, biases) = (weights, biases)
    return (
      split(key.linear(weight: weights[1], bias: biases[1])), split(value.linear(weight: weights[2], bias: biases[2]))
    )
  }

  /// Projects only queries to heads.
  func projected(_ query: Tensor) -> Tensor { split(query.linear(weight: weights[0], bias: biases[0])) }

  /// The projection weights of queries, keys and values.
  private var weights: [Tensor] {
    if let weight = inProjWeight { return weight.value.split(into: [size, groupSize, groupSize]) }
    return [qProjWeight, kProjWeight, vProjWeight].compactMap { $0?.value }
  }

  /// Reshapes `[length, batch, n]`, or `[batch, length, n]` if the layer is batch first, to
  /// `[batch, n / headSize, length, headSize]`.
  private func split(_ x: Tensor) -> Tensor {
    let heads = x.reshaped(to: [x.shape[0], x.shape[1], x.shape[2] / headSize, headSize])
    return heads.transposed(isBatchFirst ? [0, 2, 1, 3] : [1, 2, 0, 3])
  }

  /// Joins the heads, `[batch, heads, queries, size / heads]`, to the shape of `query`, and applies the output
  /// projection.
  func joined(_ heads: Tensor, _ query: Tensor) -> Tensor {
    outProj(heads.transposed(isBatchFirst ? [0, 2, 1, 3] : [2, 0, 1, 3]).reshaped(to: query.shape))
  }

  // MARK: Additional keys

  /// Appends the learned key (PyTorch's `bias_k`) and the zero key (PyTorch's `add_zero_attn`), if the layer has them.
  /// No mask hides these keys.
  private func extended(_ heads: AttentionHeads, _ masks: inout AttentionMasks) -> AttentionHeads {
    guard biasK != nil || addsZeroKey else { return heads }
    var heads = heads
    let (queries, keys) = (heads.query.shape[2], heads.key.shape[2])
    if masks.isCausal {
      masks.masks.append(AttentionMasks.causal(queries, keys, masks.queryOffset, heads.key.device))
      (masks.isCausal, masks.queryOffset) = (false, nil)
    }
    let target: Shape = [heads.key.shape[0], keyValueHeads, 1, headSize]
    func append(_ key: Tensor, _ value: Tensor) {
      heads.key = .concatenated([heads.key, key.cast(to: heads.key.dtype).broadcast(to: target)], axis: 2)
      heads.value = .concatenated([heads.value, value.cast(to: heads.value.dtype).broadcast(to: target)], axis: 2)
      masks.masks = masks.masks.map { $0.withOpenKey(after: keys) }
    }
    if let biasK, let biasV {
      let shape: Shape = [1, keyValueHeads, 1, headSize]
      append(biasK.value.reshaped(to: shape), biasV.value.reshaped(to: shape))
    }
    if addsZeroKey {
      let zero = Tensor.zeros([1, 1, 1, 1], dtype: heads.key.dtype, device: heads.key.device)
      append(zero, zero)
    }
    return heads
  }

  // MARK: Validation

  func check(_ query: Tensor, _ key: Tensor, _ value: Tensor) -> Bool {
    let (axes, others) = isBatchFirst ? ("batch, queries", "batch, keys") : ("queries, batch", "keys, batch")
    let roles = [
      (query, "query", axes, size), (key, "key", others, keySize), (value, "value", others, valueSize),
    ]
    for (tensor, role, axes, size) in roles {
      guard tensor.rank == 3, tensor.shape[2] == size else {
        ShapeError("MultiheadAttention", "the \(role) \(tensor.shape) is not [\(axes), \(size)]").report()
        return false
      }
    }
    let batch = isBatchFirst ? 0 : 1
    guard query.shape[batch] == key.shape[batch], key.shape.dropLast().elementsEqual(value.shape.dropLast()) else {
      let rule = "must have the same batch size, and keys and values the same length"
      ShapeError("MultiheadAttention", "\(query.shape), \(key.shape) and \(value.shape) \(rule)").report()
      return false
    }
    return true
  }

  /// Checks the key mask and reshapes it for all heads and queries. Reports an error and returns `nil` if its shape
  /// does not fit; the tensor is `nil` if there is no mask.
  private func checked(_ keyMask: Tensor?, _ key: Tensor) -> (tensor: Tensor?, Void)? {
    guard let keyMask else { return (nil, ()) }
    let (batch, keys) = (key.shape[0], key.shape[2])
    guard keyMask.shape == [batch, keys] else {
      ShapeError("MultiheadAttention", "the key mask \(keyMask.shape) is not [batch, keys] = [\(batch), \(keys)]")
        .report()
      return nil
    }
    return (keyMask.reshaped(to: [batch, 1, 1, keys]), ())
  }
}

extension Tensor {
  /// Extends a mask by one more key, to which all queries may attend.
  fileprivate func withOpenKey(after keys: Int) -> Tensor {
    guard rank > 0 else { return self }
    var (whole, more) = (shape, shape)
    if shape[rank - 1] == 1 { whole[rank - 1] = keys }
    more[rank - 1] = 1
    let open = Tensor(repeating: dtype == .bool ? 1 : 0, shape: more, dtype: dtype, device: device)
    return .concatenated([broadcast(to: whole), open], axis: -1)
  }
}
