import ApusNN
import ApusTensor

/// The architecture of a text model, without its vocabulary.
public struct TextNetwork: Hashable, Sendable {
  /// The layers between the embeddings and the outputs.
  public enum Core: Hashable, Sendable {
    case lstm
    /// Transformer blocks with `heads` attention heads each.
    case transformer(heads: Int)
  }

  /// The layers between the embeddings and the outputs.
  public var core: Core
  /// The size of embeddings and states.
  public var width: Int
  /// The number of layers.
  public var depth: Int
  /// The rate of dropout. LSTM models have dropout between layers and before the output layer; Transformers have it
  /// after the embeddings and inside each layer.
  public var dropout: Double
  /// The name of the tokenizer in `TokenizerCatalog`.
  public var tokenizer: String
  /// The maximum number of tokens in the vocabulary.
  public var vocabularySize: Int
  /// The number of tokens in a window of a language model, or the maximum number of tokens in a text of a classifier.
  public var sequenceLength: Int

  public init(
    _ core: Core, width: Int, depth: Int, dropout: Double = 0, tokenizer: String, vocabularySize: Int,
    sequenceLength: Int
  ) {
    self.core = core
    self.width = width
    self.depth = depth
    self.dropout = dropout
    self.tokenizer = tokenizer
    self.vocabularySize = vocabularySize
    self.sequenceLength = sequenceLength
  }

  /// The language model for a vocabulary size: integers `[batch, time]` to logits `[batch, time, vocabulary]`.
  /// - Throws: `ModelError.misfit` if a Transformer has no heads, or the heads do not divide the width.
  public func languageModel(vocabulary count: Int) throws(ModelError) -> any LanguageModel {
    try check()
    return switch core {
    case .lstm: LSTMLanguageModel(vocabulary: count, width: width, depth: depth, dropout: dropout)
    case .transformer(let heads):
      TransformerLanguageModel(
        vocabulary: count, width: width, depth: depth, heads: heads, dropout: dropout, longest: sequenceLength)
    }
  }

  /// The classifier for a vocabulary size and a number of classes: integers `[batch, time]`, padded with token 0, to
  /// logits `[batch, classes]`.
  /// - Throws: `ModelError.misfit` if a Transformer has no heads, or the heads do not divide the width.
  public func classifier(vocabulary count: Int, classes: Int) throws(ModelError) -> any Layer {
    try check()
    return switch core {
    case .lstm:
      LSTMTextClassifier(vocabulary: count, width: width, depth: depth, dropout: dropout, classes: classes)
    case .transformer(let heads):
      TransformerTextClassifier(
        vocabulary: count, width: width, depth: depth, heads: heads, dropout: dropout, longest: sequenceLength,
        classes: classes)
    }
  }

  private func check() throws(ModelError) {
    guard case .transformer(let heads) = core, heads < 1 || width % heads != 0 else { return }
    guard heads > 0 else { throw .misfit("\(heads) attention heads; use 1 or more") }
    throw .misfit("a width of \(width) cannot be split among \(heads) attention heads; use a multiple of \(heads)")
  }
}
