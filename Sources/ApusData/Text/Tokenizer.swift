/// From text to numbers and back. Token 0 fills sequences up; a tokenizer that does not know every text has token 1
/// for what it does not know.
public protocol Tokenizer: Sendable {
  /// What the kind is called: `character`, `word`, `bpe`, `wordpiece`.
  static var kind: String { get }

  /// The number of different tokens: they are `0 ..< count`.
  var count: Int { get }

  /// The tokens of a text.
  func encode(_ text: String) -> [Int32]

  /// The text of tokens. Numbers that are none give nothing.
  func decode(_ tokens: some Sequence<Int32>) -> String

  /// All that `init(_:)` needs to make it again.
  var json: JSON { get }

  /// - Returns: `nil` when something is missing or of another kind.
  init?(_ json: JSON)

  /// Learns from a text.
  /// - Parameter size: the most tokens that there may be.
  init(learning text: String, size: Int)
}

/// The tokens that stand for no text.
public enum ReservedToken {
  /// Fills sequences up.
  public static let padding: Int32 = 0
  /// Stands for what a tokenizer does not know.
  public static let unknown: Int32 = 1
}

/// The tokenizers by name.
public enum TokenizerCatalog {
  static let types: [any Tokenizer.Type] = [
    CharacterTokenizer.self, WordTokenizer.self, BytePairTokenizer.self, WordPieceTokenizer.self,
  ]

  /// The names of all tokenizers.
  public static let kinds = types.map { $0.kind }

  /// Learns a tokenizer of a kind from a text.
  /// - Returns: `nil` when there is no such kind.
  public static func learn(_ kind: String, from text: String, size: Int) -> (any Tokenizer)? {
    types.first { $0.kind == kind }.map { $0.init(learning: text, size: size) }
  }

  /// A tokenizer as it is kept in a file.
  public static func stored(_ tokenizer: any Tokenizer) -> JSON {
    ["kind": .string(type(of: tokenizer).kind), "content": tokenizer.json]
  }

  /// The tokenizer that `stored` kept; `nil` when it is not one.
  public static func restored(_ json: JSON?) -> (any Tokenizer)? {
    guard let kind = json?["kind"]?.string, let content = json?["content"] else { return nil }
    return types.first { $0.kind == kind }?.init(content)
  }
}
