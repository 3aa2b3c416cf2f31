import Apus

/// What a model has to know of the texts it was trained with, to take others: kept in checkpoints.
struct TextFormat: Sendable {
  var tokenizer: any Tokenizer
  /// `nil` for a language model.
  var classNames: [String]?
  /// Tokens for each character in the test text of a language model, which bits per character are reckoned with.
  var tokensPerCharacter: Double?

  var json: JSON {
    var object: JSONObject = ["tokenizer": TokenizerCatalog.stored(tokenizer)]
    object["classes"] = classNames.map { .array($0.map { .string($0) }) }
    object["tokens_per_character"] = tokensPerCharacter.map { .number($0) }
    return .object(object)
  }

  init(tokenizer: any Tokenizer, classNames: [String]? = nil, tokensPerCharacter: Double? = nil) {
    self.tokenizer = tokenizer
    self.classNames = classNames
    self.tokensPerCharacter = tokensPerCharacter
  }

  /// - Returns: `nil` when something is missing or does not fit together.
  init?(_ json: JSON?) {
    guard let tokenizer = TokenizerCatalog.restored(json?["tokenizer"]) else { return nil }
    self.tokenizer = tokenizer
    classNames = json?["classes"]?.array?.compactMap(\.string)
    tokensPerCharacter = json?["tokens_per_character"]?.number
    if classNames?.isEmpty == true || tokensPerCharacter.map({ $0.isFinite && $0 > 0 }) == false { return nil }
  }
}
