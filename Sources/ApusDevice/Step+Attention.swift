/// Scaled dot-product attention, `y = dropped(softmax(scale · Q Kᵀ + added)) · V` over the keys that are open, without a
/// value that holds all weights (FlashAttention; Dao et al., 2022).
///
/// | pass | reads | result, one part behind the other |
/// |---|---|---|
/// | `forward` | `query`, `key`, `value` | `y: [batch, heads, queries, width]`, `log Σ eˣ: [batch, heads, queries]` |
/// | `backward` | those, `forward`, `gradient` of `y` | gradients of `query`, `key` and `value`, each contiguous |
///
/// A query without open keys gives zeros, the greatest number for the logarithm, and gradients of 0.
public struct Attention: Hashable, Sendable {
  /// The direction.
  public enum Pass: String, Hashable, Sendable { case forward, backward }

  /// The extents of all operands.
  public struct Geometry: Hashable, Sendable {
    /// Sequences.
    public var batch: Int
    /// Heads of the queries.
    public var heads: Int
    /// Heads of keys and values; each serves `heads / groups` of the queries' in a row.
    public var groups: Int
    /// Queries of a sequence.
    public var queries: Int
    /// Keys of a sequence.
    public var keys: Int
    /// Elements of a query or key.
    public var size: Int
    /// Elements of a value.
    public var width: Int

    /// The extents one by one.
    public init(batch: Int, heads: Int, groups: Int, queries: Int, keys: Int, size: Int, width: Int) {
      self.batch = batch
      self.heads = heads
      self.groups = groups
      self.queries = queries
      self.keys = keys
      self.size = size
      self.width = width
    }

    /// The shape of queries.
    public var query: Shape { [batch, heads, queries, size] }
    /// The shape of keys.
    public var key: Shape { [batch, groups, keys, size] }
    /// The shape of values.
    public var value: Shape { [batch, groups, keys, width] }
    /// The shape of the output and its gradient.
    public var output: Shape { [batch, heads, queries, width] }
    /// The shape of what a mask covers.
    public var weights: Shape { [batch, heads, queries, keys] }
    /// The elements of the result of a pass.
    public func resultCount(_ pass: Pass) -> Int {
      switch pass {
      case .forward: batch * heads * queries * (width + 1)
      case .backward: query.elementCount + key.elementCount + value.elementCount
      }
    }
  }

  /// Which weights are left out, and what the others are multiplied by; drawn again for the gradients.
  ///
  /// Element `i` of `geometry.weights` is kept where the upper 24 bits of word `i` of the stream are below `bound`.
  public struct Dropout: Hashable, Sendable {
    /// An entry of the scalar bank, of lane `int64`: the seed of the words, as the instruction `random` takes it.
    public var seed: Int
    /// The entry that holds the number of the draw.
    public var counter: Int
    /// The probability of being left out, in `0 ..< 1`.
    public var rate: Double

    /// Words of a stream at a rate.
    public init(seed: Int, counter: Int, rate: Double) {
      self.seed = seed
      self.counter = counter
      self.rate = rate
    }

    /// Of 2²⁴: `⌈2²⁴ · (1 − rate)⌉`, where the difference is rounded to `float32`.
    public var bound: Int { Int((Double(Float(1 - rate)) * 0x1p24).rounded(.up)) }
    /// What kept weights are multiplied by.
    public var factor: Double { 1 / (1 - rate) }
  }

  /// The row of the table.
  public var pass: Pass
  /// The extents.
  public var geometry: Geometry
  /// What products are multiplied by.
  public var scale: Double
  /// Whether key `j` is open to query `i` only where `j ≤ i + offset`.
  public var isCausal: Bool
  /// A value of one `int64`; 0 where there is none.
  public var offset: Int?
  /// Of type `bool`, over `geometry.weights`: the keys that are open. Any strides.
  public var mask: Operand?
  /// Over `geometry.weights`: what is added to the scaled products. Any strides. A key with −∞ is not open.
  public var added: Operand?
  /// The weights that are left out, if any are.
  public var dropout: Dropout?
  /// `float32` or `float64`: the type of all other operands.
  public var dtype: DType
  /// Queries; elements of a row follow each other, as in all operands with four axes.
  public var query: Operand
  /// Keys.
  public var key: Operand
  /// Values.
  public var value: Operand
  /// The result of the forward pass, for the backward one.
  public var forward: Int?
  /// The gradient of the output, for the backward pass.
  public var gradient: Operand?
  /// The value for the result.
  public var result: Int

  /// A pass over its operands.
  public init(
    pass: Pass, geometry: Geometry, scale: Double, isCausal: Bool, offset: Int?, mask: Operand?, added: Operand?,
    dropout: Dropout?, dtype: DType, query: Operand, key: Operand, value: Operand, forward: Int?, gradient: Operand?,
    result: Int
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
    self.query = query
    self.key = key
    self.value = value
    self.forward = forward
    self.gradient = gradient
    self.result = result
  }

  /// The operands with four axes.
  public var operands: [Operand] { [query, key, value] + [mask, added, gradient].compactMap(\.self) }
  /// The values that are read whole.
  public var wholeReads: [Int] { [offset, forward].compactMap(\.self) }

  /// Multiply-adds twice: of all products, masks left aside.
  public var flops: Double {
    let products = 2 * Double(geometry.weights.elementCount)
    let (size, width) = (Double(geometry.size), Double(geometry.width))
    return pass == .forward ? products * (size + width) : products * (3 * size + 2 * width)
  }
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
