import ApusData
import ApusNN
import ApusTensor

/// Embeddings with learned positions, Transformer layers, the mean over the text and a dense layer: integers
/// `[batch, time]`, padded with token 0, to logits `[batch, classes]`.
public struct TransformerTextClassifier: Layer, PositionedEmbeddings {
  let embedding: Embedding
  let positions: LearnedPositions
  let dropout: Dropout
  let encoder: TransformerEncoder
  let output: Linear

  /// - Parameter longest: the number of learned positions, which limits the number of tokens of a text.
  /// - Precondition: `heads` divides `width`.
  public init(
    vocabulary count: Int, width: Int, depth: Int, heads: Int, dropout: Double = 0, longest: Int, classes: Int
  ) {
    embedding = Embedding(
      count, width, paddingIndex: Int(ReservedToken.padding), initializer: .normal(deviation: 0.02))
    positions = LearnedPositions(
      width, capacity: longest, isBatchFirst: true, initializer: .normal(deviation: 0.02))
    self.dropout = Dropout(dropout)
    encoder = .normFirst(depth, width: width, heads: heads, dropout: dropout)
    output = Linear(width, classes)
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let isText = isText(x)
    let states = LayerTrace.run("encoder", encoder, embedded(x)) { encoder($0, keyMask: isText, isCausal: false) }
    return LayerTrace.run("output", output, meanOverText(states, isText)) { output($0) }
  }
}
