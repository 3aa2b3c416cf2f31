import ApusSystem

/// Scaled dot-product attention, `y = dropout(softmax(s)) · V` with the scores `s = scale · Q Kᵀ + added`. The softmax
/// runs over the unmasked keys. The attention weights are not stored (FlashAttention; Dao et al., 2022).
///
/// | pass | reads | contents of the result, in order |
/// |---|---|---|
/// | `forward` | `query`, `key`, `value` | `y: [batch, heads, queries, width]`, `log Σ eˢ: [batch, heads, queries]` |
/// | `backward` | `query`, `key`, `value`, `forward`, `gradient` of `y` | gradients of `query`, `key` and `value` |
///
/// The gradients are contiguous.
///
/// `log Σ eˢ` is the log-sum-exp of a query's scores over the keys. For a query whose keys are all masked, the output
/// is 0, the log-sum-exp is the greatest finite number, and the gradients are 0.
public struct Attention: Hashable, Sendable {
  /// Whether a step computes the output, or the gradients of query, key and value.
  public enum Pass: String, Hashable, Sendable { case forward, backward }

  /// The extents of all operands.
  public struct Geometry: Hashable, Sendable {
    /// The number of sequences.
    public var batch: Int
    /// The number of query heads.
    public var heads: Int
    /// The number of key and value heads; each serves `heads / groups` consecutive query heads.
    public var groups: Int
    /// The number of queries of a sequence.
    public var queries: Int
    /// The number of keys of a sequence.
    public var keys: Int
    /// The number of elements of a query or key.
    public var size: Int
    /// The number of elements of a value.
    public var width: Int

    /// Creates a geometry from its extents.
    public init(batch: Int, heads: Int, groups: Int, queries: Int, keys: Int, size: Int, width: Int) {
      self.batch = batch
      self.heads = heads
      self.groups = groups
      self.queries = queries
      self.keys = keys
      self.size = size
      self.width = width
    }

    /// The number of consecutive query heads that share a key and value head.
    package var headsPerGroup: Int { heads / groups }
    /// The key and value head of a query head: `head / headsPerGroup`, rounded down.
    package func group(of head: Int) -> Int { head / headsPerGroup }

    /// The shape of queries, `[batch, heads, queries, size]`.
    public var query: Shape { [batch, heads, queries, size] }
    /// The shape of keys, `[batch, groups, keys, size]`.
    public var key: Shape { [batch, groups, keys, size] }
    /// The shape of values, `[batch, groups, keys, width]`.
    public var value: Shape { [batch, groups, keys, width] }
    /// The shape of the output and its gradient.
    public var output: Shape { [batch, heads, queries, width] }
    /// The shape of the attention weights and of a mask.
    public var weights: Shape { [batch, heads, queries, keys] }
    /// The number of elements of the result of a pass.
    public func resultCount(_ pass: Pass) -> Int {
      switch pass {
      case .forward: batch * heads * queries * (width + 1)
      case .backward: query.elementCount + key.elementCount + value.elementCount
      }
    }
    /// The multiply-adds of the products of a pass, as if no key were masked; `Int.max` on overflow.
    ///
    /// The forward pass computes `Q Kᵀ` and the product of the weights with `V`. The backward pass computes `Q Kᵀ`
    /// again and, for each of these two products, the gradients of both factors.
    public func multiplyAdds(_ pass: Pass) -> Int {
      switch pass {
      case .forward: weights.elementCount.saturatingProduct(size + width)
      case .backward: weights.elementCount.saturatingProduct(3 * size + 2 * width)
      }
    }
  }

  /// The dropout of attention weights; the backward pass recomputes the same random words (32-bit integers).
  ///
  /// Element `i` of `geometry.weights` is kept if the upper 24 bits of word `i` of the stream are below `bound`.
  public struct Dropout: Hashable, Sendable {
    /// The index of the random stream's seed (`int64`) in the scalar bank (`Plan.scalars`); see
    /// `Instruction.Function.random`.
    public var seed: Int
    /// The index of the random stream's counter (`int64`) in the scalar bank.
    public var counter: Int
    /// The dropout probability, in `0 ..< 1`.
    public var rate: Double

    /// Creates a dropout from two indices in the scalar bank and a rate.
    public init(seed: Int, counter: Int, rate: Double) {
      self.seed = seed
      self.counter = counter
      self.rate = rate
    }

    /// The threshold of the 24 bits: `⌈2²⁴ · (1 − rate)⌉`, with the difference rounded to `float32`.
    public var bound: Int { Int(UnitBits.bound(probability: DropoutRate(rate).keptProbability)) }
    /// The factor by which kept weights are multiplied, `1 / (1 − rate)`.
    public var factor: Double { DropoutRate(rate).factor }
  }

  /// The pass: forward or backward, a row of the table at `Attention`.
  public var pass: Pass
  /// The extents.
  public var geometry: Geometry
  /// The number by which the dot products `Q Kᵀ` are multiplied.
  public var scale: Double
  /// Whether query `i` attends only to the keys `j ≤ i + offset`.
  public var isCausal: Bool
  /// The value (the array of the plan) that contains the causal offset, one `int64`; `nil` for the offset 0.
  public var offset: Int?
  /// The mask of type `bool` over `geometry.weights`, with any strides: true for the keys to attend to; `nil` for all.
  public var mask: Operand?
  /// The bias over `geometry.weights`, with any strides, that is added to the scaled products; −∞ masks a key. `nil`
  /// for no bias.
  public var added: Operand?
  /// The dropout of the weights; `nil` for none.
  public var dropout: Dropout?
  /// The type of the result, of `added` and of `forward`: `float32` or `float64`.
  public var dtype: DType
  /// The type of queries, keys, values and the gradient: `dtype` or, on devices whose `fastAttentionTypes` contain it, a
  /// 16-bit floating-point type. With a 16-bit type, a device may round attention weights and the gradients of scores to
  /// this type before it multiplies them; it adds in `float32`.
  public var factorDtype: DType
  /// The queries, over `geometry.query`. Their last axis is contiguous, as in keys, values and the gradient.
  public var query: Operand
  /// The keys, over `geometry.key`.
  public var key: Operand
  /// The values, over `geometry.value`.
  public var value: Operand
  /// The result of the forward pass, which the backward pass reads; `nil` in the forward pass.
  public var forward: Int?
  /// The gradient of the output, over `geometry.output`, which the backward pass reads; `nil` in the forward pass.
  public var gradient: Operand?
  /// The value that receives the result.
  public var result: Int

  /// Creates a pass over its operands; the default of `factorDtype` is `dtype`.
  public init(
    pass: Pass, geometry: Geometry, scale: Double, isCausal: Bool, offset: Int?, mask: Operand?, added: Operand?,
    dropout: Dropout?, dtype: DType, factorDtype: DType? = nil, query: Operand, key: Operand, value: Operand,
    forward: Int?, gradient: Operand?, result: Int
  ) {
    self.pass = pass
    self.geometry = geometry
    self.scale = scale
    self.isCausal = isCausal
    self.offset = offset
    self.mask = mask
    self.added = added
    self.dropout = dropout
    self.dtype = dtype
    self.factorDtype = factorDtype ?? dtype
    self.query = query
    self.key = key
    self.value = value
    self.forward = forward
    self.gradient = gradient
    self.result = result
  }

  /// The operands with four axes.
  public var operands: [Operand] { [query, key, value] + [mask, added, gradient].compactMap(\.self) }
  /// The values that the step reads without a layout: the causal offset and the result of the forward pass.
  public var wholeReads: [Int] { [offset, forward].compactMap(\.self) }

  /// The floating-point operations: two for each multiply-add of the products, as if no key were masked.
  public var flops: Double { 2 * Double(geometry.multiplyAdds(pass)) }
}

extension Attention: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Attention {
    var step = self
    step.query.value = read(step.query.value)
    step.key.value = read(step.key.value)
    step.value.value = read(step.value.value)
    if let mask = step.mask { step.mask = Operand(value: read(mask.value), layout: mask.layout) }
    if let added = step.added { step.added = Operand(value: read(added.value), layout: added.layout) }
    if let gradient = step.gradient {
      step.gradient = Operand(value: read(gradient.value), layout: gradient.layout)
    }
    step.offset = step.offset.map(read)
    step.forward = step.forward.map(read)
    step.result = write(step.result)
    return step
  }
}
