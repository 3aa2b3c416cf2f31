import ApusTensor

/// Scaled dot-product attention (Vaswani et al., 2017):
/// ```text
/// y = softmax(scale · Q Kᵀ + mask) · V
/// ```
/// The operands are `Q: [batch…, heads, queries, size]`, `K: [batch…, heads, keys, size]` and
/// `V: [batch…, heads, keys, width]`, whose leading axes broadcast; `y` is `[batch…, heads, queries, width]`. If keys
/// and values have fewer heads than queries, each of their heads serves the same number of consecutive query heads
/// (grouped-query attention; Ainslie et al., 2023; PyTorch's `enable_gqa`).
///
/// If a query may attend to no key, its output and its gradient are zeros. (PyTorch returns zeros or NaN, depending on
/// its version and on the selected kernel.)
///
/// - Parameters:
///   - mask: broadcast to `[batch…, heads, queries, keys]`. A `bool` mask is true where a query may attend to a key; a
///     floating-point mask is added to the scaled products.
///   - isCausal: whether query `i` attends only to the keys `0 … i + queryOffset`.
///   - queryOffset: the number of keys before the first query, a scalar integer. By default it is 0: the first query
///     attends to the first key only, for any number of keys, as in PyTorch. With `keys − queries` the last query
///     attends to all keys. With the keys of a `KeyValueCache` the offset is the cache's `end` before the last
///     `append`.
///   - dropout: the dropout rate of attention weights in training.
///   - scale: `1 / √size` by default.
/// - Precondition: queries, keys and values are floating-point, and there is at least one key.
public func scaledDotProductAttention(
  _ query: Tensor, _ key: Tensor, _ value: Tensor, mask: Tensor? = nil, isCausal: Bool = false,
  queryOffset: Tensor? = nil, dropout: Double = 0, scale: Double? = nil
) -> Tensor {
  let masks = AttentionMasks(mask.map { [$0] } ?? [], isCausal: isCausal, queryOffset: queryOffset)
  let dropping = Dropping(dropout, isAlwaysOn: false, AttentionProblem.name)
  // In mixed precision all three are cast to the type of matrix products, whether or not the fused step is used.
  let (q, k, v) = (query.narrowed, key.narrowed, value.narrowed)
  guard let problem = AttentionProblem(q, k, v, masks, scale: scale, dropping: dropping) else { return query }
  return problem.output()
}

/// The masks that one call of attention combines: any number of tensors, and the causal mask.
struct AttentionMasks: Sendable {
  /// Each mask is `bool` (true where a query may attend to a key) or added to the scaled products.
  var masks: [Tensor]
  var isCausal: Bool
  var queryOffset: Tensor?

  init(_ masks: [Tensor], isCausal: Bool, queryOffset: Tensor?) {
    self.masks = masks
    self.isCausal = isCausal
    self.queryOffset = isCausal ? queryOffset : nil
  }

  /// Whether there is no mask, so that every query may attend to every key.
  var isEmpty: Bool { masks.isEmpty && !isCausal }

  /// `[queries, keys]`: whether query `i` may attend to key `j`, that is `j ≤ i + offset`.
  static func causal(_ queries: Int, _ keys: Int, _ offset: Tensor?, _ device: ComputeDevice) -> Tensor {
    let shape: Shape = [queries, keys]
    let dtype: DType = shape.elementCount <= Int(Int32.max) ? .int32 : .int64
    let row = Tensor.indices(shape, axis: 0, dtype: dtype, device: device)
    let last = offset.map { row + $0.cast(to: dtype) } ?? row
    return Tensor.indices(shape, axis: 1, dtype: dtype, device: device) .<= last
  }

  /// The conjunction of all Boolean masks and the causal mask; `nil` if there is none.
  func allowed(_ queries: Int, _ keys: Int, _ device: ComputeDevice) -> Tensor? {
    var all = masks.filter { $0.dtype == .bool }
    if isCausal { all.append(AttentionMasks.causal(queries, keys, queryOffset, device)) }
    return all.dropFirst().reduce(all.first) { $0?.logicalAnd($1) }
  }

  /// The sum of the additive masks; `nil` if there is none.
  var added: Tensor? {
    let all = masks.filter { $0.dtype != .bool }
    return all.dropFirst().reduce(all.first) { sum, mask in sum.map { $0 + mask } }
  }
}
