extension ModelDescription {
  /// Two Transformer layers of width 128 with 4 heads over the words of a text.
  public static let textTransformer = ModelDescription(
    name: "text-transformer", summary: "text classifier: 2 Transformer layers of width 128 with 4 heads over words",
    kind: .texts(
      TextNetwork(
        .transformer(heads: 4), width: 128, depth: 2, dropout: 0.1, tokenizer: "word", vocabularySize: 8_000,
        sequenceLength: 64)),
    recipe: Recipe(data: "bible-verses", learningRate: 5e-4, batchSize: 64, epochs: 4, clipNorm: 1))
}
