import ApusNN

extension ModelDescription {
  /// Four Transformer layers of width 256 with 8 heads and causal attention over characters.
  public static let charTransformer = ModelDescription(
    name: "char-transformer", summary: "language model: 4 Transformer layers of width 256 with 8 heads over characters",
    kind: .language(
      TextNetwork(
        .transformer(heads: 8), width: 256, depth: 4, tokenizer: "character", vocabularySize: 256,
        sequenceLength: 128)),
    recipe: Recipe(
      data: "bible-kjv", learningRate: 1e-3, schedule: CosineSchedule.name, batchSize: 16, epochs: 1, clipNorm: 1))
}
