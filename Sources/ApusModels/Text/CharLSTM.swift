import ApusNN

extension ModelDescription {
  /// Two LSTM layers of width 256 over characters.
  public static let charLSTM = ModelDescription(
    name: "char-lstm", summary: "language model: two LSTM layers of width 256 over characters",
    kind: .language(
      TextNetwork(
        .lstm, width: 256, depth: 2, dropout: 0.1, tokenizer: "character", vocabularySize: 256, sequenceLength: 64)),
    recipe: Recipe(
      data: "bible-kjv", learningRate: 2e-3, schedule: CosineSchedule.name, batchSize: 32, epochs: 3, clipNorm: 1))
}
