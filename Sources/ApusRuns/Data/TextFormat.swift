import Apus

/// The format of the texts that a model was trained on. Checkpoints store it to encode other texts in the same way.
public struct TextFormat: Sendable {
  package var tokenizer: any Tokenizer
  /// The names of the classes; `nil` for a language model.
  package var classes: [String]?
  /// The number of tokens per character in the measured text of a language model, from which bits per character follow.
  var tokensPerCharacter: Double?

  public var json: JSON {
    var object: JSONObject = ["tokenizer": TokenizerCatalog.stored(tokenizer)]
    object["classes"] = classes.map { .array($0.map { .string($0) }) }
    object["tokens_per_character"] = tokensPerCharacter.map { .number($0) }
    return .object(object)
  }

  package init(tokenizer: any Tokenizer, classes: [String]? = nil, tokensPerCharacter: Double? = nil) {
    self.tokenizer = tokenizer
    self.classes = classes
    self.tokensPerCharacter = tokensPerCharacter
  }

  /// - Returns: `nil` if the tokenizer is missing or invalid, if `classes` is empty, or if `tokens_per_character` is
  ///   not finite and positive.
  public init?(_ json: JSON?) {
    guard let tokenizer = TokenizerCatalog.restored(json?["tokenizer"]) else { return nil }
    self.tokenizer = tokenizer
    classes = json?["classes"]?.array?.compactMap(\.string)
    tokensPerCharacter = json?["tokens_per_character"]?.number
    if classes?.isEmpty == true || tokensPerCharacter.map({ $0.isFinite && $0 > 0 }) == false { return nil }
  }
}
