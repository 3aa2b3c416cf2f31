import ApusNN
import ApusTensor

/// What a model of text is made of, apart from its vocabulary.
public struct TextNetwork: Hashable, Sendable {
  /// What stands between the embeddings and the outputs.
  public enum Core: Hashable, Sendable {
    case lstm
    /// Attention with so many heads.
    case transformer(heads: Int)
  }

  /// What stands between the embeddings and the outputs.
  public var core: Core
  /// The size of embeddings and states.
  public var width: Int
  /// The number of layers.
  public var depth: Int
  /// The rate of dropout between layers.
  public var dropout: Double
  /// How text becomes tokens, see `TokenizerCatalog`.
  public var tokenizer: String
  /// The most tokens that there may be.
  public var vocabularySize: Int
  /// Tokens in a window of a language model; longer texts of a classifier are cut to as many.
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

  /// The language model for a vocabulary.
  public func languageModel(vocabulary count: Int) throws(ModelError) -> any LanguageModel {
    try check()
    return switch core {
    case .lstm: LSTMLanguageModel(vocabulary: count, width: width, depth: depth, dropout: dropout)
    case .transformer(let heads):
      TransformerLanguageModel(
        vocabulary: count, width: width, depth: depth, heads: heads, dropout: dropout, longest: sequenceLength)
    }
  }

  /// The classifier for a vocabulary and some classes.
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
    guard heads > 0 else { throw .misfit("\(heads) attention heads; take 1 or more") }
    throw .misfit("a width of \(width) cannot be split among \(heads) attention heads; take a multiple of \(heads)")
  }
}
