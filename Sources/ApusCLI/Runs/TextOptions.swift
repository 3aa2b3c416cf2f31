import Apus

/// The options of models of text. Each is also a key of configurations, like the options of `RunOptions`.
enum TextOptions {
  static let tokenizer = Option(
    "tokenizer", .choice("KIND", of: TokenizerCatalog.kinds),
    help: "the tokenizer: \(TokenizerCatalog.kinds.joined(separator: ", ")) (default: the model's)")
  static let vocabularySize = Option(
    "vocabulary-size", .count(upTo: 10_000_000),
    help: "the largest size of the vocabulary; at least 257 with bpe (default: the model's)")
  static let sequenceLength = Option(
    "sequence-length", .count(upTo: 1_000_000),
    help: "the context length in tokens; longer texts are truncated (default: the model's)")
  static let width = Option(
    "width", .count(upTo: 65_536), help: "the size of embeddings and hidden states (default: the model's)")
  static let depth = Option("depth", .count(upTo: 1_024), help: "the number of layers (default: the model's)")
  static let dropout = Option("dropout", .share, help: "the probability of dropout (default: the model's)")

  /// All options, in the order in which they are listed and stored.
  static let declarations = [
    tokenizer.declaration, vocabularySize.declaration, sequenceLength.declaration, width.declaration,
    depth.declaration, dropout.declaration,
  ]
}

extension ModelDescription {
  /// The model with the sizes that the arguments specify.
  /// - Throws: when a size is given for a model that does not have it.
  func changed(by arguments: Arguments, command: String) throws(UsageError) -> ModelDescription {
    let given = TextOptions.declarations.filter { arguments.contains($0) }
    let kind: Kind
    switch self.kind {
    case .images:
      guard let first = given.first else { return self }
      throw UsageError(command: command, message: "--\(first.name) is for models of text, \(name) takes images")
    case .language(let network): kind = .language(network.changed(by: arguments))
    case .texts(let network): kind = .texts(network.changed(by: arguments))
    }
    return ModelDescription(name: name, summary: summary, kind: kind, recipe: recipe)
  }
}

extension TextNetwork {
  fileprivate func changed(by arguments: Arguments) -> TextNetwork {
    var network = self
    network.tokenizer = arguments[TextOptions.tokenizer] ?? tokenizer
    network.vocabularySize = arguments[TextOptions.vocabularySize] ?? vocabularySize
    network.sequenceLength = arguments[TextOptions.sequenceLength] ?? sequenceLength
    network.width = arguments[TextOptions.width] ?? width
    network.depth = arguments[TextOptions.depth] ?? depth
    network.dropout = arguments[TextOptions.dropout] ?? dropout
    return network
  }
}

extension JSONObject {
  /// Adds the members for a network of text.
  mutating func set(_ network: TextNetwork) {
    self["tokenizer"] = .string(network.tokenizer)
    self["vocabulary_size"] = .integer(network.vocabularySize)
    self["sequence_length"] = .integer(network.sequenceLength)
    self["width"] = .integer(network.width)
    self["depth"] = .integer(network.depth)
    self["dropout"] = .number(network.dropout)
  }
}
