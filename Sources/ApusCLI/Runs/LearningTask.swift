import Apus
import ApusFiles
import Glibc

/// The data of a run, and what is learnt from them.
struct LearningTask {
  var format: DataFormat
  var train: any ExampleSource
  var test: any ExampleSource
  /// The examples for evaluation after each epoch, if some are held out.
  var validation: (any ExampleSource)?
  /// The training examples without augmentation, for evaluation; `nil` if training does not augment them.
  var plainTrain: (() -> any ExampleSource)?
  /// The classes of the training examples, for images and tables.
  var labels: [Int32] = []
}

extension LearningTask {
  /// Reads the data, and uploads them to the current device.
  /// - Parameters:
  ///   - known: the tokenizer of the weights that the model starts from; without one, a tokenizer is learnt from the
  ///     text.
  ///   - willLoad: receives the format of the data and the number of training examples as soon as they are known.
  init(
    _ settings: RunSettings, tokenizer known: (any Tokenizer)? = nil,
    willLoad: (_ format: DataFormat, _ count: Int) throws -> Void = { _, _ in }
  ) throws {
    switch settings.model.kind {
    case .images(let network):
      guard let options = settings.table else {
        self = try .images(settings, network, willLoad)
        return
      }
      let (table, data) = try TableFormat.learning(settings, options, network)
      format = .table(table)
      try willLoad(format, data.split.train.count)
      train = try table.examples(data, data.split.train)
      test = try table.examples(data, data.split.test)
      if !data.split.validation.isEmpty { validation = try table.examples(data, data.split.validation) }
      if case .classes(let classes, _) = data.targets { labels = data.split.train.map { classes[Int($0)] } }
    case .language(let network):
      let corpus = try TextCorpus.load(settings.data)
      let tokenizer = network.tokenizer(known, for: corpus.train, settings.data)
      var text = TextFormat(tokenizer: tokenizer)
      let windows = try text.windows(of: corpus.train, network.sequenceLength, "training part", corpus.name)
      try willLoad(.text(text), windows.count)
      train = windows
      test = try text.measured(corpus.test, network.sequenceLength, "test part", corpus.name)
      format = .text(text)
    case .texts(let network):
      let data = try TextDataset.load(settings.data)
      let tokenizer = network.tokenizer(known, for: data.train.texts.joined(separator: "\n"), settings.data)
      format = .text(TextFormat(tokenizer: tokenizer, classNames: data.classNames))
      try willLoad(format, data.train.texts.count)
      train = try TokenizedTexts(data.train, tokenizer: tokenizer, length: network.sequenceLength)
      test = try TokenizedTexts(data.test, tokenizer: tokenizer, length: network.sequenceLength)
    }
  }

  /// The splits of a data set of images.
  private static func images(
    _ settings: RunSettings, _ network: ImageNetwork, _ willLoad: (_ format: DataFormat, _ count: Int) throws -> Void
  ) throws -> LearningTask {
    let data = try ImageDataset.load(settings.data, split: settings.dataSettings.split)
      .learning(from: settings.dataSettings.trainCount, seed: settings.dataSettings.split.seed)
    guard !data.test.labels.isEmpty else {
      throw UsageError(
        command: settings.command, message: "--test-share 0: \(settings.data) has no other images to test with")
    }
    // Called before the statistics of image files are computed, which takes a while.
    try willLoad(.images(ImageFormat.planned(data, settings, network)), data.train.labels.count)
    let format = try ImageFormat.reading(data, settings, network)
    let train = try format.trainingExamples(data.train, settings)
    return LearningTask(
      format: .images(format), train: train, test: format.examples(data.test, settings.image),
      validation: data.validation.map { format.examples($0, settings.image) },
      plainTrain: settings.image.augmentation.isEmpty ? nil : { format.examples(data.train, settings.image) },
      labels: data.train.labels)
  }

  /// The images that could not be read and were left out, in all splits.
  func skipped(_ settings: RunSettings) -> SkippedPictures {
    SkippedPictures(of: [train, test, validation].compactMap(\.self), settings.image)
  }

  /// A description of the data: `60,000 training and 10,000 test images of 1x28x28, 10 classes`.
  var summary: String {
    let parts = [(train.count, "training"), (validation?.count ?? 0, "validation"), (test.count, "test")]
    let counts = parts.filter { $0.0 > 0 }.map { "\($0.0.grouped) \($0.1)" }
    let all = counts.dropLast().joined(separator: ", ") + (counts.count > 1 ? " and " : "") + (counts.last ?? "")
    let classes = format.classNames.isEmpty ? "" : ", \(format.classNames.count) classes"
    switch format {
    case .images(let images):
      return "\(all) images of \(images.size.map(String.init).joined(separator: "x"))\(classes)"
    case .table(let table):
      return "\(all) rows of \(table.encoder.width) features, target \(table.target.quoted())\(classes)"
    case .text: return "\(all) \(format.examplesName)\(classes)"
    }
  }

  /// The objective that is minimized.
  func objective(_ settings: RunSettings) -> Objective {
    guard format.isClassifier else { return format.objective }
    return settings.dataSettings.objective(labels: labels, classCount: format.classNames.count)
  }
}

extension ModelDescription.Kind {
  /// The kind of tokenizer for texts; `nil` for images.
  var tokenizer: String? {
    switch self {
    case .images: nil
    case .language(let network), .texts(let network): network.tokenizer
    }
  }
}

/// The model's indices of classes with the given names.
func numbers(of names: [String], _ known: [String], _ source: String) throws(DataError) -> [Int32] {
  var numbers: [Int32] = []
  for name in names {
    guard let number = known.firstIndex(of: name) else {
      throw .unsupported(
        path: source, format: "data", reason: "it has a class \(name.quoted()), which the model does not know",
        remedy: "its classes are \(known.joined(separator: ", "))")
    }
    numbers.append(Int32(number))
  }
  return numbers
}

extension ImageSource {
  /// The images with the model's indices of the classes of these names. If no name is common to both, for example
  /// because names are digits, the indices stay as they are.
  func renumbered(
    _ names: [String], _ known: [String], _ source: String
  ) throws(DataError) -> any ImageSource {
    if names == known || names.count <= known.count && Set(names).isDisjoint(with: known) { return self }
    return RenumberedImages(self, try numbers(of: names, known, source))
  }
}

extension LabelledTexts {
  /// The texts with the model's indices of the classes of these names.
  func renumbered(
    _ names: [String], _ known: [String], _ source: String
  ) throws(DataError) -> LabelledTexts {
    let numbers = try numbers(of: names, known, source)
    return LabelledTexts(texts: texts, labels: labels.map { numbers[Int($0)] })
  }
}

extension TextNetwork {
  /// The known tokenizer, or otherwise one that is learnt from the text.
  fileprivate func tokenizer(_ known: (any Tokenizer)?, for text: String, _ source: String) -> any Tokenizer {
    // The option accepts only kinds of the catalog.
    let tokenizer = known ?? TokenizerCatalog.learn(tokenizer, from: text, size: vocabularySize)!
    let share = tokenizer.unknownShare(of: text)
    if share > 0.25 {
      Diagnostics.write(
        "\(source): \(Int(100 * share)) % of its tokens are unknown to the "
          + (known == nil ? "tokenizer; a larger --vocabulary-size knows more" : "weights' tokenizer"))
    }
    return tokenizer
  }
}

extension Tokenizer {
  /// The fraction of unknown tokens at the beginning of a text: little is learnt from these.
  fileprivate func unknownShare(of text: String) -> Double {
    let tokens = encode(String(text.prefix(100_000)))
    // A byte-pair tokenizer has a token for every text, so its token 1 is an ordinary one.
    guard !(self is BytePairTokenizer), !tokens.isEmpty else { return 0 }
    return Double(tokens.count { $0 == ReservedToken.unknown }) / Double(tokens.count)
  }
}

extension TextFormat {
  /// The windows of a text for evaluation; stores the number of tokens per character.
  /// - Parameter part: the name of the text, for errors: `test part`.
  mutating func measured(
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
      reason: "its \(part) has \(tokens.count) tokens, a window takes \(length) and one",
      remedy: "name a longer text, or train a model with a smaller --sequence-length")
  }
}

/// Measures that are derived from the loss of a language model.
struct LanguageMeasures {
  /// `loss · tokens / characters / log 2`
  var bitsPerCharacter: Double
  /// `exp(loss)`
  var perplexity: Double

  /// - Parameter loss: the loss in nats per token.
  /// - Returns: `nil` if there is no loss, or the model is not a language model.
  init?(_ loss: Double?, _ format: DataFormat) {
    guard let loss, case .text(let text) = format, let ratio = text.tokensPerCharacter else { return nil }
    bitsPerCharacter = loss * ratio / log(2)
    perplexity = exp(loss)
  }

  /// - Parameter part: the measured split.
  func json(_ part: DataPart) -> JSONObject {
    [part.key("bits_per_character"): .number(bitsPerCharacter), part.key("perplexity"): .number(perplexity)]
  }

  var rows: [(String, String)] {
    [("bits per character", bitsPerCharacter.text(places: 4)), ("perplexity", perplexity.text(places: 2))]
  }
}
