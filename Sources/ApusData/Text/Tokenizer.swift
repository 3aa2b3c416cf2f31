/// Converts text to token numbers and back. Token 0 is padding. A tokenizer that cannot encode every text uses token 1
/// for unknown text. But a `WordPieceTokenizer` that is made from a vocabulary, such as BERT's, uses the number that
/// `[UNK]` has there.
public protocol Tokenizer: Sendable {
  /// The name of the kind: `character`, `word`, `bpe`, `wordpiece`.
  static var kind: String { get }

  /// The number of different tokens: they are `0 ..< count`.
  var count: Int { get }

  /// The tokens of a text.
  func encode(_ text: String) -> [Int32]

  /// The text of tokens. Invalid token numbers are skipped.
  func decode(_ tokens: some Sequence<Int32>) -> String

  /// The JSON from which `init(_:)` restores the tokenizer.
  var json: JSON { get }

  /// Restores the tokenizer from `json`; `nil` when `json` is invalid.
  init?(_ json: JSON)

  /// Learns a vocabulary from a text.
  /// - Parameter size: the maximum number of tokens in the vocabulary.
  init(learning text: String, size: Int)
}

/// The tokens that represent no particular text.
public enum ReservedToken {
  /// Pads sequences.
  public static let padding: Int32 = 0
  /// Represents unknown text, in tokenizers that are learned.
  public static let unknown: Int32 = 1
}

/// The tokenizers by name.
public enum TokenizerCatalog {
  static let types: [any Tokenizer.Type] = [
    CharacterTokenizer.self, WordTokenizer.self, BytePairTokenizer.self, WordPieceTokenizer.self,
  ]

  /// The names of all tokenizers.
  public static let kinds = types.map { $0.kind }

  /// Makes a tokenizer of one of the `kinds` with at most `size` tokens, which it learns from a text.
  /// - Returns: `nil` when there is no such kind.
  public static func learn(_ kind: String, from text: String, size: Int) -> (any Tokenizer)? {
    types.first { $0.kind == kind }.map { $0.init(learning: text, size: size) }
  }

  /// The JSON that stores a tokenizer in a file.
  public static func stored(_ tokenizer: any Tokenizer) -> JSON {
    ["kind": .string(type(of: tokenizer).kind), "content": tokenizer.json]
  }

  /// Restores a tokenizer from the JSON that `stored` returned; `nil` when the JSON is invalid.
  public static func restored(_ json: JSON?) -> (any Tokenizer)? {
    guard let kind = json?["kind"]?.string, let content = json?["content"] else { return nil }
    return types.first { $0.kind == kind }?.init(content)
  }
}
