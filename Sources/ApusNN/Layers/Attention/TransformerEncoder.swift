import ApusTensor

/// A layer of a Transformer's encoder (Vaswani et al., 2017), as `torch.nn.TransformerEncoderLayer`:
/// ```text
/// x = norm1(x + attention(x)),  y = norm2(x + linear2(f(linear1(x))))            post-norm
/// x = x + attention(norm1(x)),  y = x + linear2(f(linear1(norm2(x))))            pre-norm (Xiong et al., 2020)
/// ```
/// with the activation `f`, and with dropout after `f`, after attention and after `linear2`.
public struct TransformerEncoderLayer: Layer {
  /// Attention of the sequence's elements, such as tokens, to each other.
  public let selfAttn: MultiheadAttention
  /// The first dense layer of the feed-forward block, `[size]` to `[hidden]`.
  public let linear1: Linear
  /// The second dense layer, `[hidden]` to `[size]`.
  public let linear2: Linear
  /// The normalization for attention.
  public let norm1: LayerNorm
  /// The normalization for the dense layers.
  public let norm2: LayerNorm
  private let isNormFirst: Bool
  private let feedForward: FeedForward

  /// - Parameters:
  ///   - size: the number of features of an element (PyTorch's `d_model`).
  ///   - heads: the number of heads, a divisor of `size`.
  ///   - hidden: the number of features between the two dense layers (PyTorch's `dim_feedforward`).
  ///   - dropout: the dropout rate, also of attention weights.
  ///   - epsilon: the number that `norm1` and `norm2` add to variances.
  ///   - isBatchFirst: whether inputs and results are `[batch, length, size]`, not `[length, batch, size]`.
  ///   - isNormFirst: whether norms are applied before attention and dense layers (pre-norm).
  ///   - hasBias: whether dense layers, attention and norms add biases.
  ///   - keyValueHeads: see `MultiheadAttention`.
  ///   - rotary: see `MultiheadAttention`.
  ///   - activation: the function `f`.
  public init(
    _ size: Int, heads: Int, hidden: Int = 2048, dropout: Double = 0.1, epsilon: Double = 1e-5,
    isBatchFirst: Bool = false, isNormFirst: Bool = false, hasBias: Bool = true, keyValueHeads: Int? = nil,
    rotary: RotaryPositions? = nil, activation: @escaping @Sendable (Tensor) -> Tensor = { $0.relu() }
  ) {
    selfAttn = MultiheadAttention(
      size, heads: heads, keyValueHeads: keyValueHeads, dropout: dropout, hasBias: hasBias,
      isBatchFirst: isBatchFirst, rotary: rotary)
    linear1 = Linear(size, hidden, hasBias: hasBias)
    linear2 = Linear(hidden, size, hasBias: hasBias)
    norm1 = LayerNorm(size, epsilon: epsilon, hasBias: hasBias)
    norm2 = LayerNorm(size, epsilon: epsilon, hasBias: hasBias)
    self.isNormFirst = isNormFirst
    feedForward = FeedForward(linear1: linear1, linear2: linear2, dropout: Dropout(dropout), activation: activation)
  }

  /// Excludes `feedForward`, which contains the dense layers again.
  public var members: [ModuleMember] {
    [
      .module("self_attn", selfAttn), .module("linear1", linear1), .module("linear2", linear2),
      .module("norm1", norm1), .module("norm2", norm2),
    ]
  }

  /// The result without masks, in the shape of `x`: `[length, batch, size]`, `[batch, length, size]` with
  /// `isBatchFirst`, or `[length, size]` for a single example.
  public func callAsFunction(_ x: Tensor) -> Tensor { self(x, isCausal: false) }

  /// - Parameters:
  ///   - x: `[length, batch, size]`, or `[batch, length, size]` with `isBatchFirst`; `[length, size]` is a single
  ///     example, whose masks have no batch axis.
  ///   - mask: broadcast to `[batch, heads, length, length]`; see `MultiheadAttention`.
  ///   - keyMask: `[batch, length]`, true where an element may be attended to, false for padding: the opposite of
  ///     PyTorch's `src_key_padding_mask`.
  ///   - isCausal: whether an element attends only to itself and preceding elements.
  /// - Returns: the result, in the shape of `x`.
  public func callAsFunction(
    _ x: Tensor, mask: Tensor? = nil, keyMask: Tensor? = nil, isCausal: Bool = false
  ) -> Tensor {
    LayerTrace.leaf(self, x) {
      apply(x) { selfAttn($0, mask: mask, keyMask: keyMask, isCausal: isCausal) }
    }
  }

  /// Computes the result, in the shape of `x`, for new elements `x: [count, batch, size]`, or `[batch, count, size]`
  /// with `isBatchFirst`, which follow the elements in the cache. Attention is causal; see `MultiheadAttention`.
  /// - Parameter keyMask: `[batch, capacity]`, true where an element may be attended to.
  public func callAsFunction(_ x: Tensor, cache: inout KeyValueCache, keyMask: Tensor? = nil) -> Tensor {
    apply(x) { selfAttn($0, cache: &cache, keyMask: keyMask) }
  }

  private func apply(_ x: Tensor, attention: (Tensor) -> Tensor) -> Tensor {
    let x = feedForward.residual(x, norm1, isNormFirst, attention)
    return feedForward.residual(x, norm2, isNormFirst) { feedForward($0) }
  }
}

/// Encoder layers one after the other, as `torch.nn.TransformerEncoder`. Unlike in PyTorch each layer is initialized
/// independently.
public struct TransformerEncoder: Layer {
  /// The layers, in the order in which they run.
  public let layers: [TransformerEncoderLayer]
  /// The normalization of the result, if there is one.
  public let norm: LayerNorm?

  /// - Parameters:
  ///   - layer: makes a layer; it is called `count` times.
  ///   - norm: the normalization of the result, which pre-norm layers leave unnormalized.
  public init(_ count: Int, norm: LayerNorm? = nil, _ layer: () -> TransformerEncoderLayer) {
    guard count >= 0 else { fatalError("TransformerEncoder: a count of \(count) layers is negative") }
    layers = (0..<count).map { _ in layer() }
    self.norm = norm
  }

  /// The result without masks, in the shape of `x`: `[length, batch, size]`, `[batch, length, size]` with layers that
  /// are batch first, or `[length, size]` for a single example.
  public func callAsFunction(_ x: Tensor) -> Tensor { self(x, isCausal: false) }

  /// - Parameters: see `TransformerEncoderLayer`; `x` is `[length, batch, size]`, or `[batch, length, size]` with
  ///   layers that are batch first. Boolean masks are true where an element may be attended to.
  /// - Returns: the result, in the shape of `x`.
  public func callAsFunction(
    _ x: Tensor, mask: Tensor? = nil, keyMask: Tensor? = nil, isCausal: Bool = false
  ) -> Tensor {
    LayerTrace.leaf(self, x) {
      var y = x
      for (index, layer) in layers.enumerated() {
        y = namingOperations(after: ("layers.\(index)", type(of: layer).typeName)) {
          layer(y, mask: mask, keyMask: keyMask, isCausal: isCausal)
        }
      }
      return norm?(y) ?? y
    }
  }

  /// Returns an empty cache for each layer, with room for `batch` sequences of at most `capacity` elements.
  public func makeCaches(
    batch: Int, capacity: Int, dtype: DType? = nil, device: ComputeDevice = .current
  ) -> [KeyValueCache] {
    layers.map { $0.selfAttn.makeCache(batch: batch, capacity: capacity, dtype: dtype, device: device) }
  }

  /// Computes the result, in the shape of `x`, for new elements `x: [count, batch, size]`, or `[batch, count, size]`
  /// with layers that are batch first, which follow the elements in the caches. Attention is causal; see
  /// `MultiheadAttention`.
  /// - Parameter keyMask: `[batch, capacity]`, true where an element may be attended to.
  /// - Precondition: there is one cache for each layer.
  public func callAsFunction(_ x: Tensor, caches: inout [KeyValueCache], keyMask: Tensor? = nil) -> Tensor {
    guard caches.count == layers.count else {
      ShapeError("TransformerEncoder", "got \(caches.count) caches for \(layers.count) layers").report()
      return x
    }
    var y = x
    for (index, layer) in layers.enumerated() { y = layer(y, cache: &caches[index], keyMask: keyMask) }
    return norm?(y) ?? y
  }
}

/// The feed-forward block and residual connections of encoder and decoder layers.
struct FeedForward: Sendable {
  let linear1: Linear
  let linear2: Linear
  let dropout: Dropout
  let activation: @Sendable (Tensor) -> Tensor

  func callAsFunction(_ x: Tensor) -> Tensor { linear2(dropout(activation(linear1(x)))) }

  /// `x + dropout(body(norm(x)))` if `isNormFirst`, else `norm(x + dropout(body(x)))`.
  func residual(_ x: Tensor, _ norm: LayerNorm, _ isNormFirst: Bool, _ body: (Tensor) -> Tensor) -> Tensor {
    isNormFirst ? x + dropout(body(norm(x))) : norm(x + dropout(body(x)))
  }
}
