import ApusNN
import ApusTensor

/// Embeddings with learned positions, causal Transformer layers, a norm and a dense layer, which computes a logit for
/// each token of the vocabulary: integers `[batch, time]` to `[batch, time, vocabulary]` (Radford et al., 2018;
/// pre-norm as in GPT-2).
public struct TransformerLanguageModel: LanguageModel, PositionedEmbeddings {
  let embedding: Embedding
  let positions: LearnedPositions
  let dropout: Dropout
  let encoder: TransformerEncoder
  let output: Linear
  /// The maximum number of tokens in a text.
  let longest: Int

  /// - Parameter longest: the number of positions.
  /// - Precondition: `heads` divides `width`.
  public init(vocabulary count: Int, width: Int, depth: Int, heads: Int, dropout: Double = 0, longest: Int) {
    // Radford et al. use a standard deviation of 0.02.
    embedding = Embedding(count, width, initializer: .normal(deviation: 0.02))
    positions = LearnedPositions(
      width, capacity: longest, isBatchFirst: true, initializer: .normal(deviation: 0.02))
    self.dropout = Dropout(dropout)
    encoder = .normFirst(depth, width: width, heads: heads, dropout: dropout)
    output = Linear(width, count)
    self.longest = longest
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let states = LayerTrace.run("encoder", encoder, embedded(x)) { encoder($0, isCausal: true) }
    return LayerTrace.run("output", output, states) { output($0) }
  }

  public var longestText: Int? { longest }

  public func memory(batch: Int, capacity: Int) -> [KeyValueCache] {
    encoder.makeCaches(batch: batch, capacity: capacity)
  }

  public func read(_ tokens: Tensor, _ memory: inout [KeyValueCache]) -> Tensor {
    let vectors = memory.first.map { positions(embedding(tokens), offset: $0.end) } ?? embedding(tokens)
    let states = encoder(vectors, caches: &memory)
    return output(states.slice(axis: 1, from: states.shape[1] - 1, count: 1).flattened(from: 1))
  }

  public func tensors(of memory: [KeyValueCache]) -> [Tensor] { memory.flatMap { [$0.keys, $0.values] } }
}

/// A model that begins with an embedding of tokens, learned positions and dropout.
protocol PositionedEmbeddings {
  var embedding: Embedding { get }
  var positions: LearnedPositions { get }
  var dropout: Dropout { get }
}

extension PositionedEmbeddings {
  /// The embeddings of tokens `x: [batch, time]` plus the vectors of their positions, after dropout:
  /// `[batch, time, width]`.
  func embedded(_ x: Tensor) -> Tensor {
    let vectors = LayerTrace.run("embedding", embedding, x) { embedding($0) }
    let positioned = LayerTrace.run("positions", positions, vectors) { positions($0) }
    return dropout.rate > 0 ? LayerTrace.run("dropout", dropout, positioned) { dropout($0) } : positioned
  }
}

extension TransformerEncoder {
  /// Pre-norm layers with a hidden size of four times the width, and a final norm.
  static func normFirst(_ depth: Int, width: Int, heads: Int, dropout: Double) -> TransformerEncoder {
    TransformerEncoder(depth, norm: LayerNorm(width)) {
      TransformerEncoderLayer(
        width, heads: heads, hidden: 4 * width, dropout: dropout, isBatchFirst: true, isNormFirst: true
      ) { $0.gelu() }
    }
  }
}
