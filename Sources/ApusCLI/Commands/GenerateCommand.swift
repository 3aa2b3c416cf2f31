import Apus
import ApusRuns

enum GenerateCommand: Command {
  static let name = "generate"
  static let summary = "continue a text with a language model"
  static let run = Argument.run
  static let prompt = Option("prompt", .anyText, help: "the text to continue (default: a line break)")
  static let length = Option("length", .count(upTo: 1_000_000), help: "the number of tokens to generate (default: 500)")
  static let temperature = Option(
    "temperature", .nonNegativeNumber,
    help: "divides the logits: below 1 favors likely tokens, 0 takes the likeliest (default: 1)")
  static let topK = Option("top-k", .count, help: "sample from the N likeliest tokens only")
  static let topP = Option(
    "top-p", .probability, help: "sample from the likeliest tokens that together have this probability")
  static let seed = RunOptions.seed
  static let device = RunOptions.device
  static let json = Flag("json", help: "print one JSON object")
  static let declarations = [
    run.declaration, prompt.declaration, length.declaration, temperature.declaration, topK.declaration,
    topP.declaration, seed.declaration, device.declaration, json.declaration,
  ]
  static let discussion = """
    RUN is a run of a language model, for example of apus train char-lstm. The same seed gives the same text.
    """

  static func run(_ arguments: Arguments) throws {
    let stored = try Run(at: arguments[run]!)
    guard case .language = stored.settings.model.kind, let format = stored.format as? TextFormat else {
      throw OptionError("\(stored.settings.model.name) is not a language model")
    }
    let device = try ComputeDevice.chosen(by: arguments[device])
    let sampling = Sampling(
      temperature: arguments[temperature] ?? 1, topK: arguments[topK], topP: arguments[topP],
      seed: arguments[seed] ?? 0)
    let given = arguments[prompt] ?? ""
    let text = given.isEmpty ? "\n" : given
    var tokens = format.tokenizer.encode(text)
    // The tokenizer may return no tokens: WordPiece returns none for a line break.
    if tokens.isEmpty { tokens = [ReservedToken.unknown] }
    let clock = ContinuousClock()
    let start = clock.now
    let made = try withDevice(device) {
      guard let model = try stored.model() as? any LanguageModel else { throw stored.mismatch }
      return try generateTokens(model, prompt: tokens, count: arguments[length] ?? 500, sampling: sampling)
    }
    let seconds = (clock.now - start) / .seconds(1)
    // The prompt is printed as it was written, because decoding its tokens would lose characters that the vocabulary
    // lacks.
    let continuation = format.tokenizer.decode(tokens + made).dropping(format.tokenizer.decode(tokens))
    let whole = text + continuation
    guard arguments[json] else { return try StandardOutput.write(line: whole) }
    try StandardOutput.write([
      "model": .string(stored.settings.model.name), "device": .string(device.name), "prompt": .string(text),
      "continuation": .string(continuation), "text": .string(whole), "tokens": .integer(made.count),
      "seconds": .number(seconds),
      "checkpoint": .string(stored.checkpoint.path),
    ])
  }
}

extension String {
  /// The text without a prefix.
  fileprivate func dropping(_ prefix: String) -> String { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : self }
}
