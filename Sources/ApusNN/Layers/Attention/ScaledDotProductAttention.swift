import ApusTensor

/// Scaled dot-product attention (Vaswani et al., 2017):
/// ```
/// y = softmax(scale · Q Kᵀ + mask) · V
/// ```
/// `Q: [batch…, heads, queries, size]`, `K: [batch…, heads, keys, size]`, `V: [batch…, heads, keys, width]` to
/// `y: [batch…, heads, queries, width]`; the leading axes broadcast. Where keys and values have fewer heads than
/// queries, each of theirs serves as many of the queries' in a row (grouped heads; Ainslie et al., 2023; PyTorch's
/// `enable_gqa`).
///
/// A query that may attend to no key at all gives zeros, and its gradients are zeros. (PyTorch gives zeros or NaN,
/// depending on its version and on the kernel that it picks.)
///
/// - Parameters:
///   - mask: broadcast to `[batch…, heads, queries, keys]`. A `bool` one holds where a query may attend to a key, one
///     of numbers is added to the scaled products.
///   - isCausal: whether query `i` attends to the keys `0 … i + queryOffset` alone.
///   - queryOffset: how many keys come before the first query, an integer without axes. Left out it is 0: the first
///     query sees the first key, however many keys there are, as in PyTorch. With `keys − queries` the last query sees
///     the last key, which is what generation with a `KeyValueCache` needs.
///   - dropout: the rate at which weights are dropped in training.
///   - scale: `1 / √size` when left out.
public func scaledDotProductAttention(
  _ query: Tensor, _ key: Tensor, _ value: Tensor, mask: Tensor? = nil, isCausal: Bool = false,
  queryOffset: Tensor? = nil, dropout: Double = 0, scale: Double? = nil
) -> Tensor {
  let masks = AttentionMasks(mask.map { [$0] } ?? [], isCausal: isCausal, queryOffset: queryOffset)
  let dropping = Dropping(dropout, isAlwaysOn: false, AttentionProblem.name)
  // In mixed precision the three are factors of products, with or without a step for them all.
  let (q, k, v) = (query.narrowed, key.narrowed, value.narrowed)
  guard let problem = AttentionProblem(q, k, v, masks, scale: scale, dropping: dropping) else { return query }
  return problem.output()
}

/// What keeps queries from keys.
struct AttentionMasks: Sendable {
  /// Each `bool` (true where a query may attend to a key) or added to the scaled products.
  var masks: [Tensor]
  var isCausal: Bool
  var queryOffset: Tensor?

  init(_ masks: [Tensor], isCausal: Bool, queryOffset: Tensor?) {
    self.masks = masks
    self.isCausal = isCausal
    self.queryOffset = isCausal ? queryOffset : nil
  }

  /// Whether nothing is masked; else a query may be left without a key.
  var isEmpty: Bool { masks.isEmpty && !isCausal }

  /// `[queries, keys]`: where a key is not behind its query.
  static func causal(_ queries: Int, _ keys: Int, _ offset: Tensor?, _ device: ComputeDevice) -> Tensor {
    let shape: Shape = [queries, keys]
    let dtype: DType = shape.elementCount <= Int(Int32.max) ? .int32 : .int64
    let row = Tensor.indices(shape, axis: 0, dtype: dtype, device: device)
    let last = offset.map { row + $0.cast(to: dtype) } ?? row
    return Tensor.indices(shape, axis: 1, dtype: dtype, device: device) .<= last
  }

  /// Where all masks of truth values and the causal one hold, if there are any.
  func allowed(_ queries: Int, _ keys: Int, _ device: ComputeDevice) -> Tensor? {
    var all = masks.filter { $0.dtype == .bool }
    if isCausal { all.append(AttentionMasks.causal(queries, keys, queryOffset, device)) }
    return all.dropFirst().reduce(all.first) { $0?.logicalAnd($1) }
  }

  /// The sum of the masks that are numbers, if there are any.
  var added: Tensor? {
    let all = masks.filter { $0.dtype != .bool }
    return all.dropFirst().reduce(all.first) { sum, mask in sum.map { $0 + mask } }
  }
}
