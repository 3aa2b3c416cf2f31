import ApusNN
import ApusTensor

/// The encoder of a vision transformer: position embeddings, layers and final norm; maps `[batch, tokens, width]` to
/// the same shape.
struct VisionEncoder: Layer {
  private let positions: VisionPositions
  private let dropout: Dropout
  private let layers: [VisionEncoderBlock]
  private let ln: LayerNorm

  init(tokens: Int, depth: Int, dropout: Double, layer: () -> VisionEncoderBlock, norm: LayerNorm) {
    let layers = (0..<depth).map { _ in layer() }
    positions = VisionPositions(tokens, norm.weight?.shape[0] ?? 0)
    self.dropout = Dropout(dropout)
    self.layers = layers
    ln = norm
  }

  var members: [ModuleMember] {
    [.parameter("pos_embedding", positions.table)]
      + layers.enumerated().map { .module("layers.encoder_layer_\($0.offset)", $0.element) } + [.module("ln", ln)]
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    var y = LayerTrace.run("pos_embedding", positions, x)
    if dropout.rate > 0 { y = LayerTrace.run("dropout", dropout, y) }
    for (index, layer) in layers.enumerated() { y = LayerTrace.run("layers.encoder_layer_\(index)", layer, y) }
    return LayerTrace.run("ln", ln, y)
  }
}

/// Adds a learned vector to each position.
struct VisionPositions: Layer {
  let table: Parameter

  init(_ tokens: Int, _ width: Int) { table = Parameter(Initializer.normal(deviation: 0.02)([1, tokens, width])) }

  func callAsFunction(_ x: Tensor) -> Tensor { x + table.value.cast(to: x.dtype) }
}

/// Attention and two dense layers, each after a norm (pre-norm) and with a residual connection:
/// ```text
/// y = x + attention(ln_1(x)),   z = y + mlp(ln_2(y))
/// ```
struct VisionEncoderBlock: AttendingLayer {
  private let ln1: LayerNorm
  private let selfAttention: MultiheadAttention
  private let dropout: Dropout
  private let ln2: LayerNorm
  private let mlp: Sequential

  init(_ width: Int, heads: Int, hidden: Int, dropout: Double, attentionDropout: Double) {
    ln1 = LayerNorm(width, epsilon: 1e-6)
    selfAttention = MultiheadAttention(width, heads: heads, dropout: attentionDropout, isBatchFirst: true)
    self.dropout = Dropout(dropout)
    ln2 = LayerNorm(width, epsilon: 1e-6)
    func dense(_ inputs: Int, _ outputs: Int) -> Linear {
      Linear(inputs, outputs, initializer: .xavierUniform(), biasInitializer: .normal(deviation: 1e-6))
    }
    mlp = Sequential {
      dense(width, hidden)
      GELU()
      Dropout(dropout)
      dense(hidden, width)
      Dropout(dropout)
    }
  }

  var members: [ModuleMember] {
    [
      .module("ln_1", ln1), .module("self_attention", selfAttention), .module("ln_2", ln2), .module("mlp", mlp),
    ]
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let seen = LayerTrace.run("ln_1", ln1, x)
    var attended = LayerTrace.run("self_attention", selfAttention, seen) { selfAttention($0) }
    if dropout.rate > 0 { attended = LayerTrace.run("dropout", dropout, attended) }
    let y = x + attended
    return y + LayerTrace.run("mlp", mlp, LayerTrace.run("ln_2", ln2, y))
  }

  /// Computes the attention weights with ordinary operations, because the fused attention step does not store them.
  func attention(to x: Tensor) -> [AttentionMap] {
    [AttentionMap("self_attention", .tokens, selfAttention.withWeights(ln1(x), averagesHeads: false).weights)]
  }
}
