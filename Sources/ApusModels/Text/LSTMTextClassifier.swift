import ApusData
import ApusNN
import ApusTensor

/// Embeddings, a bidirectional LSTM, the mean of its states over the text and a dense layer: integers `[batch, time]`,
/// padded with token 0, to logits `[batch, classes]`.
public struct LSTMTextClassifier: Layer {
  let embedding: Embedding
  let lstm: LSTM
  let dropout: Dropout
  let output: Linear

  /// - Parameter width: the size of the embeddings; the states of each direction have half that size.
  public init(vocabulary count: Int, width: Int, depth: Int, dropout: Double = 0, classes: Int) {
    embedding = Embedding(count, width, paddingIndex: Int(ReservedToken.padding))
    let size = max(1, width / 2)
    lstm = LSTM(width, size, layers: depth, isBatchFirst: true, dropout: dropout, isBidirectional: true)
    self.dropout = Dropout(dropout)
    output = Linear(2 * size, classes)
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let isText = isText(x)
    // A text that is all padding gets the length 1, the smallest that the LSTM accepts; the mean ignores the padding.
    let lengths = isText.cast(to: .int32).sum(axis: 1).clamped(lower: 1)
    let vectors = LayerTrace.run("embedding", embedding, x) { embedding($0) }
    let states = LayerTrace.run("lstm", lstm, vectors) { lstm($0, lengths: lengths).output }
    let mean = meanOverText(states, isText)
    let kept = dropout.rate > 0 ? LayerTrace.run("dropout", dropout, mean) { dropout($0) } : mean
    return LayerTrace.run("output", output, kept) { output($0) }
  }
}
