import ApusNN
import ApusTensor

/// Embeddings, LSTM layers and a dense layer, which computes a logit for each token of the vocabulary: integers
/// `[batch, time]` to `[batch, time, vocabulary]` (Mikolov et al., 2010; Graves, 2013).
public struct LSTMLanguageModel: LanguageModel {
  let embedding: Embedding
  let lstm: LSTM
  let dropout: Dropout
  let output: Linear

  /// - Parameter dropout: the dropout rate between layers and before the output layer.
  public init(vocabulary count: Int, width: Int, depth: Int, dropout: Double = 0) {
    embedding = Embedding(count, width)
    lstm = LSTM(width, width, layers: depth, isBatchFirst: true, dropout: dropout)
    self.dropout = Dropout(dropout)
    output = Linear(width, count)
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let vectors = LayerTrace.run("embedding", embedding, x) { embedding($0) }
    let states = LayerTrace.run("lstm", lstm, vectors) { lstm($0).output }
    let kept = dropout.rate > 0 ? LayerTrace.run("dropout", dropout, states) { dropout($0) } : states
    return LayerTrace.run("output", output, kept) { output($0) }
  }

  public var longestText: Int? { nil }

  public func memory(batch: Int, capacity: Int) -> LSTM.State? { nil }

  public func read(_ tokens: Tensor, _ memory: inout LSTM.State?) -> Tensor {
    let (states, last) = lstm(embedding(tokens), state: memory)
    memory = last
    return output(states.slice(axis: 1, from: states.shape[1] - 1, count: 1).flattened(from: 1))
  }

  public func tensors(of memory: LSTM.State?) -> [Tensor] { memory.map { [$0.hidden, $0.cell] } ?? [] }
}
