import Apus
import ApusSystem

extension TextFormat: DataFormat {
  public static var key: String { "text" }

  public static func serves(_ settings: RunSettings) -> Bool { settings.text != nil }

  public var outputs: ModelOutputs { classes.map { .classes($0) } ?? .tokens(perCharacter: tokensPerCharacter) }
  public var examplesName: String { isLanguage ? "windows" : "texts" }
  public var summary: String { examplesName }

  public func input(_ settings: RunSettings) -> ModelSummary.Input { settings.model.exampleInput() }

  public static func load(
    _ settings: RunSettings, tokenizer known: (any Tokenizer)?,
    willLoad: (_ format: any DataFormat, _ count: Int) throws -> Void
  ) throws -> LearningTask {
    let (network, length) = (settings.network, settings.network.sequenceLength)
    guard case .texts = settings.model.kind else {
      let corpus = try TextCorpus.load(settings.data)
      let tokenizer = network.tokenizer(known, for: corpus.train, settings.data)
      var format = TextFormat(tokenizer: tokenizer)
      let train = try format.windows(of: corpus.train, length, "training part", corpus.name)
      try willLoad(format, train.count)
      let test = try format.measured(corpus.test, length, "test part", corpus.name)
      return LearningTask(format: format, train: train, test: test)
    }
    let data = try TextDataset.load(settings.data)
    let tokenizer = network.tokenizer(known, for: data.train.texts.joined(separator: "\n"), settings.data)
    let format = TextFormat(tokenizer: tokenizer, classes: data.classNames)
    try willLoad(format, data.train.texts.count)
    return LearningTask(
      format: format, train: try TokenizedTexts(data.train, tokenizer: tokenizer, length: length),
      test: try TokenizedTexts(data.test, tokenizer: tokenizer, length: length))
  }

  public func model(_ settings: RunSettings) throws -> any Layer {
    switch (settings.model.kind, classes) {
    case (.language(let network), nil): try network.languageModel(vocabulary: tokenizer.count)
    case (.texts(let network), let classes?):
      try network.classifier(vocabulary: tokenizer.count, classes: settings.classes ?? classes.count)
    default: throw ModelError.misfit("\(settings.model.name) does not take such data")
    }
  }

  public func plannedExamples(
    _ count: Int, _ settings: RunSettings, upload: PlannedExamples.Upload
  ) -> (inputs: Tensor, targets: Tensor) {
    let tokens = Shape([count, settings.network.sequenceLength])
    return (upload(tokens, .int32), upload(isLanguage ? tokens : [count], .int32))
  }

  public func examples(_ request: DataRequest, _ settings: RunSettings) throws -> MeasuredData {
    switch (settings.model.kind, classes) {
    case (.language(let network), nil): try windows(request, network)
    case (.texts(let network), let classes?): try texts(request, network, classes)
    default: throw ModelError.misfit("\(settings.model.name) does not take such data")
    }
  }

  private func windows(_ request: DataRequest, _ network: TextNetwork) throws -> MeasuredData {
    let (part, text): (DataPart, String)
    if request.part == .all {
      (part, text) = (.all, try TextCorpus.text(ofSource: request.source))
    } else {
      let corpus = try TextCorpus.load(request.source)
      (part, text) = try request.choose { [.train: corpus.train, .test: corpus.test][$0] }
    }
    var format = self
    let name = part == .all ? "text" : part == .train ? "training part" : "test part"
    let windows = try format.measured(text, network.sequenceLength, name, request.source)
    return MeasuredData(source: request.source, part: part, examples: windows, format: format)
  }

  private func texts(_ request: DataRequest, _ network: TextNetwork, _ classes: [String]) throws -> MeasuredData {
    let (part, classNames, chosen): (DataPart, [String], LabelledTexts)
    if request.part == .all {
      part = .all
      (chosen, classNames) = try LabelledTexts.load(request.source)
    } else {
      let data = try TextDataset.load(request.source)
      classNames = data.classNames
      (part, chosen) = try request.choose { [.train: data.train, .test: data.test][$0] }
    }
    let texts = try chosen.renumbered(classNames, classes, request.source)
    let tokens = try TokenizedTexts(texts, tokenizer: tokenizer, length: network.sequenceLength)
    return MeasuredData(source: request.source, part: part, examples: tokens, names: texts.texts, format: self)
  }

  public func predict(
    _ files: [String], _ settings: RunSettings, threshold: Double?, model: () throws -> any Layer,
    _ body: (FilePrediction) throws -> Void
  ) throws {
    guard case .texts(let network) = settings.model.kind else {
      throw OptionError("\(settings.model.name) is a language model; try apus generate")
    }
    let texts = try files.map { ($0, try LabelledTexts(linesOf: $0)) }
    let model = try model()
    for (file, lines) in texts {
      let tokens = try TokenizedTexts(lines, tokenizer: tokenizer, length: network.sequenceLength)
      let runner = ModelRunner(model: model, count: lines.count) { tokens.batch($0).tokens }
      try runner.predictClasses(threshold: threshold) { prediction in
        try body(FilePrediction((file, prediction.index), prediction, name: className(prediction.label)))
      }
    }
  }
}

extension TextFormat {
  /// Splits a text into windows of tokens for evaluation, and stores the text's number of tokens per character.
  /// - Parameter part: the name of the text, for errors: `test part`.
  fileprivate mutating func measured(
    _ text: String, _ length: Int, _ part: String, _ name: String
  ) throws(DataError) -> TokenWindows {
    let windows = try windows(of: text, length, part, name)
    let tokens = tokenizer.encode(text).count
    tokensPerCharacter = Double(tokens) / Double(text.unicodeScalars.count)
    return windows
  }

  fileprivate func windows(
    of text: String, _ length: Int, _ part: String, _ name: String
  ) throws(DataError) -> TokenWindows {
    let tokens = tokenizer.encode(text)
    if let windows = TokenWindows(tokens, length: length) { return windows }
    throw .unsupported(
      path: name, format: "text",
      reason: "its \(part) has \(tokens.count) tokens, but a window takes \(length + 1)",
      remedy: "use a longer text, or train a model with a smaller --sequence-length")
  }
}

extension LabelledTexts {
  /// The same texts, with labels that are the class indices of the model.
  /// - Parameters:
  ///   - names: the names of the texts' classes.
  ///   - known: the names of the model's classes.
  /// - Throws: `DataError.unsupported` if a class of the texts is not a class of the model.
  func renumbered(
    _ names: [String], _ known: [String], _ source: String
  ) throws(DataError) -> LabelledTexts {
    let numbers = try numbers(of: names, known, source)
    return LabelledTexts(texts: texts, labels: labels.map { numbers[Int($0)] })
  }
}

extension TextNetwork {
  /// The known tokenizer, else a tokenizer that is trained on the text. Warns if more than a quarter of the text's
  /// tokens are unknown.
  fileprivate func tokenizer(_ known: (any Tokenizer)?, for text: String, _ source: String) -> any Tokenizer {
    // `learn` returns `nil` only for an unknown kind, and `--tokenizer` accepts only kinds of the catalog.
    let tokenizer = known ?? TokenizerCatalog.learn(tokenizer, from: text, size: vocabularySize)!
    let share = tokenizer.unknownShare(of: text)
    if share > 0.25 {
      Diagnostics.write(
        "\(source): \(Int(100 * share)) % of its tokens are unknown to the "
          + (known == nil ? "tokenizer; a larger --vocabulary-size covers more words" : "weights' tokenizer"))
    }
    return tokenizer
  }
}

extension Tokenizer {
  /// The fraction of unknown tokens in the first 100,000 characters of a text. A model learns little from unknown
  /// tokens.
  fileprivate func unknownShare(of text: String) -> Double {
    let tokens = encode(String(text.prefix(100_000)))
    // A byte-pair tokenizer encodes every text and has no unknown token: its token 1 is an ordinary token.
    guard !(self is BytePairTokenizer), !tokens.isEmpty else { return 0 }
    return Double(tokens.count { $0 == ReservedToken.unknown }) / Double(tokens.count)
  }
}
