import ApusTensor

/// The state of a decoder layer during generation: the keys and values of the sequence and of the memory (the encoder's
/// result).
public struct DecoderCache: Sendable {
  /// The keys and values of the sequence.
  public internal(set) var elements: KeyValueCache
  /// The keys and values of the memory; `nil` until the first call computes them.
  var memory: (key: Tensor, value: Tensor)?
}

/// A layer of a Transformer's decoder (Vaswani et al., 2017), as `torch.nn.TransformerDecoderLayer`. Compared with an
/// encoder layer it has an additional attention to a memory, the encoder's result. In the post-norm form, with the
/// activation `f`:
/// ```text
/// x = norm1(x + attention(x)),  x = norm2(x + attention(x, memory)),  y = norm3(x + linear2(f(linear1(x))))
/// ```
public struct TransformerDecoderLayer: Module {
  /// Attention of the elements to each other.
  public let selfAttn: MultiheadAttention
  /// Attention of the elements to the memory; PyTorch's `multihead_attn`.
  public let multiheadAttn: MultiheadAttention
  /// The first dense layer of the feed-forward block, `[size]` to `[hidden]`.
  public let linear1: Linear
  /// The second dense layer, `[hidden]` to `[size]`.
  public let linear2: Linear
  /// The normalization for self-attention.
  public let norm1: LayerNorm
  /// The normalization for attention to the memory.
  public let norm2: LayerNorm
  /// The normalization for the dense layers.
  public let norm3: LayerNorm
  private let isNormFirst: Bool
  private let feedForward: FeedForward

  /// - Parameters: see `TransformerEncoderLayer`.
  public init(
    _ size: Int, heads: Int, hidden: Int = 2048, dropout: Double = 0.1, epsilon: Double = 1e-5,
    isBatchFirst: Bool = false, isNormFirst: Bool = false, hasBias: Bool = true,
    activation: @escaping @Sendable (Tensor) -> Tensor = { $0.relu() }
  ) {
    func attention() -> MultiheadAttention {
      MultiheadAttention(size, heads: heads, dropout: dropout, hasBias: hasBias, isBatchFirst: isBatchFirst)
    }
    (selfAttn, multiheadAttn) = (attention(), attention())
    linear1 = Linear(size, hidden, hasBias: hasBias)
    linear2 = Linear(hidden, size, hasBias: hasBias)
    norm1 = LayerNorm(size, epsilon: epsilon, hasBias: hasBias)
    norm2 = LayerNorm(size, epsilon: epsilon, hasBias: hasBias)
    norm3 = LayerNorm(size, epsilon: epsilon, hasBias: hasBias)
    self.isNormFirst = isNormFirst
    feedForward = FeedForward(linear1: linear1, linear2: linear2, dropout: Dropout(dropout), activation: activation)
  }

  /// Excludes `feedForward`, which contains the dense layers again.
  public var members: [ModuleMember] {
    [
      .module("self_attn", selfAttn), .module("multihead_attn", multiheadAttn), .module("linear1", linear1),
      .module("linear2", linear2), .module("norm1", norm1), .module("norm2", norm2), .module("norm3", norm3),
    ]
  }

  /// - Parameters:
  ///   - x: `[length, batch, size]`; with `isBatchFirst` the batch axis comes first in all shapes here.
  ///     `[length, size]` is a single example, and no tensor has a batch axis then.
  ///   - memory: `[keys, batch, size]`.
  ///   - mask: the mask between elements, broadcast to `[batch, heads, length, length]`; see `MultiheadAttention`.
  ///   - keyMask: `[batch, length]`, true where an element may be attended to, false for padding.
  ///   - isCausal: whether an element attends only to itself and preceding elements.
  ///   - memoryMask: the mask from elements to memory elements, broadcast to `[batch, heads, length, keys]`.
  ///   - memoryKeyMask: `[batch, keys]`, as `keyMask`.
  /// - Returns: the result, in the shape of `x`.
  public func callAsFunction(
    _ x: Tensor, _ memory: Tensor, mask: Tensor? = nil, keyMask: Tensor? = nil, isCausal: Bool = false,
    memoryMask: Tensor? = nil, memoryKeyMask: Tensor? = nil
  ) -> Tensor {
    LayerTrace.leaf(self, x) {
      apply(x) {
        selfAttn($0, mask: mask, keyMask: keyMask, isCausal: isCausal)
      } cross: {
        multiheadAttn($0, memory, mask: memoryMask, keyMask: memoryKeyMask)
      }
    }
  }

  /// Computes the result, in the shape of `x`, for new elements `x: [count, batch, size]`, which follow the elements in
  /// the cache. Attention is causal; see `MultiheadAttention`. Keys and values of the memory, `[keys, batch, size]`,
  /// are computed at the first call.
  /// - Parameter memoryKeyMask: `[batch, keys]`, true where an element of the memory may be attended to.
  public func callAsFunction(
    _ x: Tensor, _ memory: Tensor, cache: inout DecoderCache, memoryKeyMask: Tensor? = nil
  ) -> Tensor {
    guard multiheadAttn.check(x, memory, memory) else { return x }
    let seen = cache.memory ?? multiheadAttn.projected(memory, memory)
    cache.memory = seen
    return apply(x) {
      selfAttn($0, cache: &cache.elements)
    } cross: { x in
      let heads = AttentionHeads(query: multiheadAttn.projected(x), key: seen.key, value: seen.value)
      let problem = multiheadAttn.problem(heads, nil, memoryKeyMask, isCausal: false, offset: nil)
      return problem.map { multiheadAttn.joined($0.output(), x) } ?? x
    }
  }

  private func apply(_ x: Tensor, attention: (Tensor) -> Tensor, cross: (Tensor) -> Tensor) -> Tensor {
    let x = feedForward.residual(x, norm1, isNormFirst, attention)
    let seen = feedForward.residual(x, norm2, isNormFirst, cross)
    return feedForward.residual(seen, norm3, isNormFirst) { feedForward($0) }
  }
}

/// Decoder layers one after the other, as `torch.nn.TransformerDecoder`. Unlike in PyTorch each layer is initialized
/// independently.
public struct TransformerDecoder: Module {
  /// The layers, in the order in which they run.
  public let layers: [TransformerDecoderLayer]
  /// The normalization of the result, if there is one.
  public let norm: LayerNorm?

  /// - Parameters: see `TransformerEncoder`.
  public init(_ count: Int, norm: LayerNorm? = nil, _ layer: () -> TransformerDecoderLayer) {
    guard count >= 0 else { fatalError("TransformerDecoder: a count of \(count) layers is negative") }
    layers = (0..<count).map { _ in layer() }
    self.norm = norm
  }

  /// - Parameters: see `TransformerDecoderLayer`; `x` is `[length, batch, size]`, `memory` `[keys, batch, size]`.
  ///   Boolean masks are true where an element may be attended to.
  /// - Returns: the result, in the shape of `x`.
  public func callAsFunction(
    _ x: Tensor, _ memory: Tensor, mask: Tensor? = nil, keyMask: Tensor? = nil, isCausal: Bool = false,
    memoryMask: Tensor? = nil, memoryKeyMask: Tensor? = nil
  ) -> Tensor {
    LayerTrace.leaf(self, x) {
      var y = x
      for (index, layer) in layers.enumerated() {
        y = namingOperations(after: ("layers.\(index)", type(of: layer).typeName)) {
          layer(
            y, memory, mask: mask, keyMask: keyMask, isCausal: isCausal, memoryMask: memoryMask,
            memoryKeyMask: memoryKeyMask)
        }
      }
      return norm?(y) ?? y
    }
  }

  /// Empty caches for `batch` sequences of at most `capacity` elements, one for each layer.
  public func makeCaches(
    batch: Int, capacity: Int, dtype: DType? = nil, device: ComputeDevice = .current
  ) -> [DecoderCache] {
    layers.map {
      DecoderCache(elements: $0.selfAttn.makeCache(batch: batch, capacity: capacity, dtype: dtype, device: device))
    }
  }

  /// Computes the result, in the shape of `x`, for new elements `x: [count, batch, size]`, which follow the elements in
  /// the caches. See `TransformerDecoderLayer`.
  /// - Parameter memoryKeyMask: `[batch, keys]`, true where an element of the memory may be attended to.
  /// - Precondition: there is one cache for each layer.
  public func callAsFunction(
    _ x: Tensor, _ memory: Tensor, caches: inout [DecoderCache], memoryKeyMask: Tensor? = nil
  ) -> Tensor {
    guard caches.count == layers.count else {
      ShapeError("TransformerDecoder", "got \(caches.count) caches for \(layers.count) layers").report()
      return x
    }
    var y = x
    for (index, layer) in layers.enumerated() {
      y = layer(y, memory, cache: &caches[index], memoryKeyMask: memoryKeyMask)
    }
    return norm?(y) ?? y
  }
}
