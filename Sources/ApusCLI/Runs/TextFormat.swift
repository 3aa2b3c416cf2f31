import Apus

/// The format of the texts that a model was trained with, as needed to encode others; stored in checkpoints.
struct TextFormat: Sendable {
  var tokenizer: any Tokenizer
  /// The names of the classes; `nil` for a language model.
  var classNames: [String]?
  /// The number of tokens per character in the test text of a language model, for computing bits per character.
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

  /// - Returns: `nil` when a member is missing or inconsistent.
  init?(_ json: JSON?) {
    guard let tokenizer = TokenizerCatalog.restored(json?["tokenizer"]) else { return nil }
    self.tokenizer = tokenizer
    classNames = json?["classes"]?.array?.compactMap(\.string)
    tokensPerCharacter = json?["tokens_per_character"]?.number
    if classNames?.isEmpty == true || tokensPerCharacter.map({ $0.isFinite && $0 > 0 }) == false { return nil }
  }
}
