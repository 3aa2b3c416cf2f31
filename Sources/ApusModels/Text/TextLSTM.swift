extension ModelDescription {
  /// A bidirectional LSTM over the words of a text.
  public static let textLSTM = ModelDescription(
    name: "text-lstm", summary: "text classifier: bidirectional LSTM of width 128 over words",
    kind: .texts(
      TextNetwork(
        .lstm, width: 128, depth: 1, dropout: 0.3, tokenizer: "word", vocabularySize: 8_000, sequenceLength: 64)),
    recipe: Recipe(data: "bible-verses", learningRate: 2e-3, batchSize: 64, epochs: 4, clipNorm: 1))
}
