import ApusTensor

/// Multi-head attention (Vaswani et al., 2017), with the parameters and keys of `torch.nn.MultiheadAttention`:
/// ```text
/// y = concatenated(head₁ … headₙ) · W_oᵀ + b_o,   headᵢ = attention(Q W_qᵢᵀ + b_qᵢ, K W_kᵢᵀ + b_kᵢ, V W_vᵢᵀ + b_vᵢ)
/// ```
/// for queries `Q`, keys `K` and values `V`, where `W_qᵢ`, `W_kᵢ` and `W_vᵢ` are the rows of the input projections for
/// head `i`, `W_o` is the output projection, and the `b` are biases. The three input projections are stored in one
/// weight, `in_proj_weight: [3 · size, size]`. If keys or values have another size than queries, the projections are
/// stored separately, as `q_proj_weight`, `k_proj_weight` and `v_proj_weight`. With fewer heads of keys and values
/// than of queries, the key and value projections are smaller, `[keyValueHeads · size / heads, …]`.
///
/// Boolean masks are true where a query may attend to a key, as in `scaledDotProductAttention`. PyTorch's module uses
/// the opposite (`~mask`), for both `attn_mask` and `key_padding_mask`. The output for a query that may attend to no
/// key is `b_o`.
public struct MultiheadAttention: Module {
  /// The projections of queries, keys and values, concatenated, `[size + 2 · width, size]` with
  /// `width = keyValueHeads · size / heads`; PyTorch's `in_proj_weight`.
  public let inProjWeight: Parameter?
  /// The projection of the queries, if it is separate, `[size, size]`; `q_proj_weight`.
  public let qProjWeight: Parameter?
  /// The projection of the keys, if it is separate, `[width, keySize]`; `k_proj_weight`.
  public let kProjWeight: Parameter?
  /// The projection of the values, if it is separate, `[width, valueSize]`; `v_proj_weight`.
  public let vProjWeight: Parameter?
  /// The biases of the three projections, concatenated, `[size + 2 · width]`; `in_proj_bias`.
  public let inProjBias: Parameter?
  /// The learned key that is appended to the keys of the input, `[1, 1, width]`; `bias_k`.
  public let biasK: Parameter?
  /// The value of the learned key, `[1, 1, width]`; `bias_v`.
  public let biasV: Parameter?
  /// The projection of the concatenated head outputs; `out_proj`.
  public let outProj: Linear

  /// The size of queries and results, over all heads.
  public let size: Int
  /// The number of heads of the queries.
  public let heads: Int
  /// The number of heads of keys and values; each serves `heads / keyValueHeads` query heads.
  public let keyValueHeads: Int
  /// The size of the input keys; PyTorch's `kdim`.
  public let keySize: Int
  /// The size of the input values; PyTorch's `vdim`.
  public let valueSize: Int
  let addsZeroKey: Bool
  let isBatchFirst: Bool
  let dropping: Dropping
  let rotary: RotaryPositions?

  var headSize: Int { size / heads }
  /// The size of projected keys and values.
  var groupSize: Int { keyValueHeads * headSize }

  /// - Parameters:
  ///   - size: the size of queries and results.
  ///   - heads: the number of heads, a divisor of `size`.
  ///   - keyValueHeads: the number of heads of keys and values, a divisor of `heads`; by default `heads`.
  ///   - keySize: the size of keys; by default `size`.
  ///   - valueSize: the size of values; by default `size`.
  ///   - dropout: the dropout rate of attention weights in training.
  ///   - hasBias: whether the projections add biases.
  ///   - addsKeyBias: whether a learned key and value are appended (`bias_k`, `bias_v`).
  ///   - addsZeroKey: whether a key and value of zeros are appended.
  ///   - isBatchFirst: whether inputs and results are `[batch, length, …]`, not `[length, batch, …]`.
  ///   - rotary: rotary position embedding of queries and keys.
  public init(
    _ size: Int, heads: Int, keyValueHeads: Int? = nil, keySize: Int? = nil, valueSize: Int? = nil,
    dropout: Double = 0, hasBias: Bool = true, addsKeyBias: Bool = false, addsZeroKey: Bool = false,
    isBatchFirst: Bool = false, rotary: RotaryPositions? = nil
  ) {
    let groups = keyValueHeads ?? heads
    guard size > 0, heads > 0, size % heads == 0 else {
      fatalError("MultiheadAttention: the number of heads \(heads) must be positive and divide the size \(size)")
    }
    guard groups > 0, heads % groups == 0 else {
      fatalError(
        "MultiheadAttention: the number of heads of keys and values \(groups) must be positive and divide \(heads)")
    }
    guard rotary.map({ $0.size == size / heads }) ?? true else {
      fatalError(
        "MultiheadAttention: rotary positions of size \(rotary!.size) do not fit heads of size \(size / heads)")
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
  ///   - query: `[queries, batch, size]`; with `isBatchFirst` the batch axis comes first in all shapes here.
  ///     `[queries, size]` is a single example, and no tensor has a batch axis then.
  ///   - key: `[keys, batch, keySize]`; by default the queries.
  ///   - value: `[keys, batch, valueSize]`; by default the keys.
  ///   - mask: broadcast to `[batch, heads, queries, keys]`: `bool` (true where a query may attend to a key), or
  ///     additive (added to the scaled products).
  ///   - keyMask: `[batch, keys]`: `bool` (true for keys that may be attended to, false for padding, the opposite of
  ///     PyTorch's `key_padding_mask`), or additive.
  ///   - isCausal: whether query `i` attends only to the keys `0 … i`.
  /// - Returns: `[queries, batch, size]`.
  /// - Precondition: the inputs are floating-point, and there is at least one key.
  public func callAsFunction(
    _ query: Tensor, _ key: Tensor? = nil, _ value: Tensor? = nil, mask: Tensor? = nil, keyMask: Tensor? = nil,
    isCausal: Bool = false
  ) -> Tensor {
    LayerTrace.leaf(self, query) {
      if query.rank == 2 {
        let batch = batchOfOne(query, key, value, keyMask)
        let found = self(batch.query, batch.key, batch.value, mask: mask, keyMask: batch.keyMask, isCausal: isCausal)
        return found.squeezingAxis(at: isBatchFirst ? 0 : 1)
      }
      guard let problem = problem(query, key, value, mask, keyMask, isCausal) else { return query }
      return joined(problem.output(), query)
    }
  }

  /// The result, and the attention weights after dropout.
  ///
  /// - Parameters: as for `callAsFunction`, and `averagesHeads`: whether the weights are averaged over the heads.
  /// - Returns: the output `[queries, batch, size]` as from `callAsFunction`, and the weights, `[batch, queries, keys]`
  ///   if averaged, else `[batch, heads, queries, keys]`.
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
    let (output, weights) = problem.weighted(problem.dropoutKey())
    return (joined(output, query), averagesHeads ? weights.mean(axis: 1) : weights)
  }
}
