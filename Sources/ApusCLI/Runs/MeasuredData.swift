import Apus
import ApusFiles

/// The examples on which a trained model is measured.
struct MeasuredData {
  /// The name of the data source.
  var source: String
  /// The split of the source from which the examples come.
  var part: DataPart
  var examples: any ExampleSource
  /// The names of the examples; `nil` if they are only numbered.
  var names: [String]?
  /// The model's format, with values that are measured on these examples.
  var format: DataFormat
  /// For a table, its columns except the target, and the row of each example.
  var table: (features: Apus.Table, rows: [Int32])?
}

extension StoredModel {
  /// Examples of a source, if they have the format that the model requires.
  ///
  /// - Parameters:
  ///   - named: the source; `nil` for the source of the run.
  ///   - part: the split. When left out, all examples of another source without splits, such as a file; otherwise the
  ///     validation split, or the test split if there is no validation split.
  func data(of named: String? = nil, part wanted: DataPart? = nil, command: String) throws -> MeasuredData {
    guard let named else {
      return try explainingRelativeData(of: settings, in: checkpoint.path) {
        try data(ofSource: settings.data, part: wanted, command: command)
      }
    }
    return try data(ofSource: named, part: wanted, command: command)
  }

  private func data(ofSource source: String, part wanted: DataPart?, command: String) throws -> MeasuredData {
    var wanted = wanted
    if wanted == nil, try !isOwn(source), try !DatasetDescription.hasParts(source) { wanted = .all }
    let request = DataRequest(source: source, part: wanted, command: command)
    switch (settings.model.kind, format) {
    case (.images, .images(let format)): return try images(request, format)
    case (.images, .table(let format)): return try rows(request, format)
    case (.language(let network), .text(let format)): return try windows(request, format, network)
    case (.texts(let network), .text(let format)): return try texts(request, format, network)
    default: throw mismatch
    }
  }

  /// The examples that the model was trained with, without augmentation.
  func trainingData(command: String) throws -> any ExampleSource { try data(part: .train, command: command).examples }

  /// Whether a source is that of the run, also if its file or folder is given by another path.
  func isOwn(_ source: String) throws -> Bool {
    if source == settings.data { return true }
    let (one, other) = (try DatasetDescription.find(source), try DatasetDescription.find(settings.data))
    guard one.description.name == other.description.name, let path = one.argument, let own = other.argument,
      let place = try? FileSystem.canonicalPath(path)
    else { return false }
    return place == (try? FileSystem.canonicalPath(own))
  }

  private func images(_ request: DataRequest, _ format: ImageFormat) throws -> MeasuredData {
    let (source, own) = (request.source, settings.dataSettings)
    let data: ImageDataset
    if request.part == .all {
      data = try ImageDataset.load(source, split: SplitOptions(test: 0))
    } else {
      data = try ImageDataset.load(source, split: own.split).learning(from: own.trainCount, seed: own.split.seed)
    }
    try format.check(data.imageSize, source)
    let (part, chosen) = try request.choose { part -> (any ImageSource)? in
      switch part {
      case .train: data.train
      case .validation: data.validation
      case .test: data.test
      case .all: data.all
      }
    }
    let images = try chosen.renumbered(data.classNames, format.classNames, source)
    return MeasuredData(
      source: source, part: part, examples: format.examples(images, settings.image),
      names: images.labels.indices.map { images.name(of: $0) }, format: self.format)
  }

  private func rows(_ request: DataRequest, _ format: TableFormat) throws -> MeasuredData {
    let data = try format.data(of: request.source, settings, isWhole: request.part == .all)
    let split = data.split
    let (part, rows) = try request.choose { part in
      switch part {
      case .train: split.train
      case .validation: split.validation.isEmpty ? nil : split.validation
      case .test: split.test
      case .all: (0..<Int32(data.features.rowCount)).map { $0 }
      }
    }
    return MeasuredData(
      source: request.source, part: part, examples: try format.examples(data, rows),
      names: rows.map { "line \(data.features.line(of: Int($0)))" }, format: self.format, table: (data.features, rows))
  }

  private func windows(
    _ request: DataRequest, _ format: TextFormat, _ network: TextNetwork
  ) throws -> MeasuredData {
    let (part, text): (DataPart, String)
    if request.part == .all {
      (part, text) = (.all, try TextCorpus.text(ofSource: request.source))
    } else {
      let corpus = try TextCorpus.load(request.source)
      (part, text) = try request.choose { [.train: corpus.train, .test: corpus.test][$0] }
    }
    var format = format
    let name = part == .all ? "text" : part == .train ? "training part" : "test part"
    let windows = try format.measured(text, network.sequenceLength, name, request.source)
    return MeasuredData(source: request.source, part: part, examples: windows, format: .text(format))
  }

  private func texts(_ request: DataRequest, _ format: TextFormat, _ network: TextNetwork) throws -> MeasuredData {
    let (part, classNames, chosen): (DataPart, [String], LabelledTexts)
    if request.part == .all {
      part = .all
      (chosen, classNames) = try LabelledTexts.load(request.source)
    } else {
      let data = try TextDataset.load(request.source)
      classNames = data.classNames
      (part, chosen) = try request.choose { [.train: data.train, .test: data.test][$0] }
    }
    let texts = try chosen.renumbered(classNames, format.classNames ?? [], request.source)
    let tokens = try TokenizedTexts(texts, tokenizer: format.tokenizer, length: network.sequenceLength)
    return MeasuredData(
      source: request.source, part: part, examples: tokens, names: texts.texts, format: self.format)
  }
}

/// A request for examples.
private struct DataRequest {
  let source: String
  /// The split; `nil` for the validation split, or the test split if there is no validation split.
  let part: DataPart?
  let command: String

  /// - Throws: when the split does not exist.
  func choose<Examples>(_ examples: (DataPart) -> Examples?) throws(UsageError) -> (DataPart, Examples) {
    let chosen = part ?? (examples(.validation) == nil ? .test : .validation)
    guard let found = examples(chosen) else {
      throw UsageError(
        command: command,
        message: "--part \(chosen.rawValue): the run holds no such part of \(source) out; try --part test")
    }
    return (chosen, found)
  }
}

extension DataFormat {
  /// The names of the classes, by index; a model may have more outputs.
  var classNames: [String] {
    switch self {
    case .images(let format): format.classNames
    case .text(let format): format.classNames ?? []
    case .table(let format): format.classNames
    }
  }

  /// The name of a class, or its index if it has none.
  func className(_ number: Int) -> String {
    let names = classNames
    return number < names.count ? names[number] : String(number)
  }
}

extension DataFormat {
  /// The name of examples, in the plural.
  var examplesName: String {
    switch self {
    case .images: "images"
    case .text(let format): format.classNames == nil ? "windows" : "texts"
    case .table: "rows"
    }
  }

  /// Whether the model predicts the next token of a text.
  var isLanguage: Bool { if case .text(let format) = self { format.classNames == nil } else { false } }

  /// Whether the model predicts classes.
  var isClassifier: Bool {
    switch self {
    case .images: true
    case .text(let format): format.classNames != nil
    case .table(let format): format.kind == .classification
    }
  }

  /// A description of a model that predicts no classes: `a language model`.
  var modelName: String { if case .table = self { "a model of numbers" } else { "a language model" } }

  /// The objective without class weights. Losses are means over examples or tokens, in nats; for numbers they are
  /// squared errors in the target's own units.
  var objective: Objective {
    if isLanguage { return .tokens }
    if case .table(let table) = self, case .numbers(_, let deviation) = table.task {
      return .regression(unit: deviation)
    }
    return .classification(classCount: classNames.count)
  }
}
