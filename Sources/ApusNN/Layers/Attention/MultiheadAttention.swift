import ApusTensor

/// Multi-head attention (Vaswani et al., 2017), with the parameters and keys of `torch.nn.MultiheadAttention`:
/// ```
/// y = concatenated(head₁ … headₙ) · W_oᵀ + b_o,   headᵢ = attention(Q W_qᵢᵀ + b_qᵢ, K W_kᵢᵀ + b_kᵢ, V W_vᵢᵀ + b_vᵢ)
/// ```
/// The three projections lie in one weight, `in_proj_weight: [3 · size, size]`, unless keys or values have a size of
/// their own: then there are `q_proj_weight`, `k_proj_weight` and `v_proj_weight`. With grouped heads the parts of keys
/// and values are smaller, `[keyValueHeads · size / heads, …]`.
///
/// Masks of truth values are true where a query may attend to a key, as in `scaledDotProductAttention`: PyTorch's module
/// takes the opposite (`~mask`), for `attn_mask` and `key_padding_mask` alike. Queries that may attend to nothing give
/// `b_o`.
public struct MultiheadAttention: Module {
  /// The projections of queries, keys and values, one behind the other; PyTorch's `in_proj_weight`.
  public let inProjWeight: Parameter?
  /// The projection of the queries, where keys or values have a size of their own; `q_proj_weight`.
  public let qProjWeight: Parameter?
  /// The projection of the keys, where there is one of their own; `k_proj_weight`.
  public let kProjWeight: Parameter?
  /// The projection of the values, where there is one of their own; `v_proj_weight`.
  public let vProjWeight: Parameter?
  /// The biases of the three projections, one behind the other; `in_proj_bias`.
  public let inProjBias: Parameter?
  /// The learned key that stands behind all others; `bias_k`.
  public let biasK: Parameter?
  /// The value of the learned key; `bias_v`.
  public let biasV: Parameter?
  /// The projection of the heads' results, side by side; `out_proj`.
  public let outProj: Linear

  /// The extent of queries and results, over all heads.
  public let size: Int
  /// The number of heads of the queries.
  public let heads: Int
  /// How many heads keys and values have; each serves `heads / keyValueHeads` of the queries'.
  public let keyValueHeads: Int
  /// The extent of the keys that are given; PyTorch's `kdim`.
  public let keySize: Int
  /// The extent of the values that are given; PyTorch's `vdim`.
  public let valueSize: Int
  let addsZeroKey: Bool
  let isBatchFirst: Bool
  let dropping: Dropping
  let rotary: RotaryPositions?

  var headSize: Int { size / heads }
  /// The extent of projected keys and values.
  var groupSize: Int { keyValueHeads * headSize }

  /// - Parameters:
  ///   - size: the extent of queries and results.
  ///   - heads: a divisor of `size`.
  ///   - keyValueHeads: a divisor of `heads`; `heads` when left out.
  ///   - keySize: the extent of keys; `size` when left out.
  ///   - valueSize: the extent of values; `size` when left out.
  ///   - dropout: the rate at which weights are dropped in training.
  ///   - hasBias: whether the projections add biases.
  ///   - addsKeyBias: whether there is one more key, with a value, that is learned (`bias_k`, `bias_v`).
  ///   - addsZeroKey: whether there is one more key, with a value, of zeros.
  ///   - isBatchFirst: whether inputs and results are `[batch, length, …]`, not `[length, batch, …]`.
  ///   - rotary: turns queries and keys by their places.
  public init(
    _ size: Int, heads: Int, keyValueHeads: Int? = nil, keySize: Int? = nil, valueSize: Int? = nil,
    dropout: Double = 0, hasBias: Bool = true, addsKeyBias: Bool = false, addsZeroKey: Bool = false,
    isBatchFirst: Bool = false, rotary: RotaryPositions? = nil
  ) {
    let groups = keyValueHeads ?? heads
    guard size > 0, heads > 0, size % heads == 0 else {
      fatalError("MultiheadAttention: \(heads) heads do not divide the size \(size)")
    }
    guard groups > 0, heads % groups == 0 else {
      fatalError("MultiheadAttention: \(groups) heads of keys and values do not divide \(heads) heads")
    }
    guard rotary.map({ $0.size == size / heads }) ?? true else {
      fatalError(
        "MultiheadAttention: rotary positions of size \(rotary!.size) are not for heads of size \(size / heads)")
    }
    (self.size, self.heads, self.keyValueHeads) = (size, heads, groups)
    (self.keySize, self.valueSize) = (keySize ?? size, valueSize ?? size)
    (self.addsZeroKey, self.isBatchFirst, self.rotary) = (addsZeroKey, isBatchFirst, rotary)
    dropping = Dropping(dropout, isAlwaysOn: false, "MultiheadAttention")
    let width = groups * (size / heads)
    let start = Initializer.xavierUniform()
    if self.keySize == size, self.valueSize == size {
      inProjWeight = Parameter(start([size + 2 * width, size]))
      (qProjWeight, kProjWeight, vProjWeight) = (nil, nil, nil)
    } else {
      inProjWeight = nil
      qProjWeight = Parameter(start([size, size]))
      kProjWeight = Parameter(start([width, self.keySize]))
      vProjWeight = Parameter(start([width, self.valueSize]))
    }
    inProjBias = hasBias ? Parameter(.zeros([size + 2 * width])) : nil
    let fans = Initializer.Fans(fanIn: width, fanOut: width)
    biasK = addsKeyBias ? Parameter(Initializer.xavierNormal()([1, 1, width], fans: fans)) : nil
    biasV = addsKeyBias ? Parameter(Initializer.xavierNormal()([1, 1, width], fans: fans)) : nil
    outProj = Linear(size, size, hasBias: hasBias, biasInitializer: .zeros)
  }

  /// - Parameters:
  ///   - query: `[queries, batch, size]`; with `isBatchFirst` the batch comes first here and in what follows. Where it is
  ///     `[queries, size]`, there is one example, and nothing has the axis of the batch.
  ///   - key: `[keys, batch, keySize]`; the queries when left out.
  ///   - value: `[keys, batch, valueSize]`; the keys when left out.
  ///   - mask: broadcast to `[batch, heads, queries, keys]`; `bool` (true where a query may attend to a key) or added
  ///     to the scaled products.
  ///   - keyMask: `[batch, keys]`; `bool`, true where there is a key that may be attended to and false where there is
  ///     padding (PyTorch's `key_padding_mask` is the opposite), or added.
  ///   - isCausal: whether query `i` attends to the keys `0 … i` alone.
  /// - Returns: `[queries, batch, size]`.
  public func callAsFunction(
    _ query: Tensor, _ key: Tensor? = nil, _ value: Tensor? = nil, mask: Tensor? = nil, keyMask: Tensor? = nil,
    isCausal: Bool = false
  ) -> Tensor {
    if query.rank == 2 {
      let batch = batchOfOne(query, key, value, keyMask)
      let found = self(batch.query, batch.key, batch.value, mask: mask, keyMask: batch.keyMask, isCausal: isCausal)
      return found.squeezingAxis(at: isBatchFirst ? 0 : 1)
    }
    guard let problem = problem(query, key, value, mask, keyMask, isCausal) else { return query }
    return joined(problem.output(), query)
  }

  /// The result together with the weights of the keys, after dropout.
  ///
  /// - Parameters: those of `callAsFunction`, and `averagesHeads`: whether the weights are the mean over the heads.
  /// - Returns: `[queries, batch, size]`, and `[batch, queries, keys]` or `[batch, heads, queries, keys]`.
  public func withWeights(
    _ query: Tensor, _ key: Tensor? = nil, _ value: Tensor? = nil, mask: Tensor? = nil, keyMask: Tensor? = nil,
    isCausal: Bool = false, averagesHeads: Bool = true
  ) -> (output: Tensor, weights: Tensor) {
    if query.rank == 2 {
      let batch = batchOfOne(query, key, value, keyMask)
      let found = withWeights(
        batch.query, batch.key, batch.value, mask: mask, keyMask: batch.keyMask, isCausal: isCausal,
        averagesHeads: averagesHeads)
      return (found.output.squeezingAxis(at: isBatchFirst ? 0 : 1), found.weights.squeezingAxis(at: 0))
    }
    guard let problem = problem(query, key, value, mask, keyMask, isCausal) else { return (query, query) }
    let (output, weights) = problem.weighted(problem.drawn())
    return (joined(output, query), averagesHeads ? weights.mean(axis: 1) : weights)
  }
}
