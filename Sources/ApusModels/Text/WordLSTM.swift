extension ModelDescription {
  /// A word-level language model with two LSTM layers of width 256.
  public static let wordLSTM = ModelDescription(
    name: "word-lstm", summary: "language model: two LSTM layers of width 256 over words",
    kind: .language(
      TextNetwork(
        .lstm, width: 256, depth: 2, dropout: 0.2, tokenizer: "word", vocabularySize: 8_000, sequenceLength: 32)),
    recipe: Recipe(data: "bible-kjv", learningRate: 2e-3, batchSize: 32, epochs: 3, clipNorm: 1))
}
