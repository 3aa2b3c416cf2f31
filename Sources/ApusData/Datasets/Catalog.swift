import ApusSystem
import Synchronization

/// A data set that a source string can name: `fashion-mnist`, `mnist:DIR`, `text:FILE`, …
public struct DatasetDescription: Sendable {
  /// The kind of content. For images and texts, a closure reads the content. The closure receives the text after the
  /// colon of a source string.
  enum Content: Sendable {
    /// Labeled images; the size `[channels, height, width]` or the class names are `nil` when they depend on the files.
    case images(
      size: [Int]?, classNames: [String]?, @Sendable (String, SplitOptions) throws(DataError) -> ImageDataset)
    /// Running text: the closure returns all of it, and runs hold out the test split later.
    case text(@Sendable (String) throws(DataError) -> String)
    /// Labeled texts: the closure returns all of them, and runs hold out the test split later. The class names are
    /// `nil` when they depend on the file.
    case labelledTexts(
      classNames: [String]?, @Sendable (String) throws(DataError) -> (texts: LabelledTexts, classNames: [String]))
    /// Rows of a table; the target column depends on the file.
    case table
    /// Examples that Apus cannot read: the program that registered the data set reads them. The string is the name of
    /// the examples, in the plural.
    case other(String)
  }

  /// The source string, or its part before the colon: `mnist` for `mnist:DIR`. No two data sets have the same name.
  public let name: String
  /// The placeholder for the text after the colon in a source, for example `DIR`; `nil` when the source has no colon.
  public let argument: String?
  /// What `apus datasets` prints about the data set, in one line.
  public let summary: String
  /// The file or folder that is read by default; `nil` if there is none.
  public let defaultPath: String?
  let content: Content

  init(name: String, argument: String? = nil, summary: String, defaultPath: String? = nil, content: Content) {
    self.name = name
    self.argument = argument
    self.summary = summary
    self.defaultPath = defaultPath
    self.content = content
  }

  /// The source string that names the data set: `mnist:DIR`.
  public var source: String { argument.map { "\(name):\($0)" } ?? name }

  /// `images`, `text`, `labelled texts`, `table rows`, or the argument `examples` of `other`.
  public var contentName: String {
    switch content {
    case .images: "images"
    case .text: "text"
    case .labelledTexts: "labelled texts"
    case .table: "table rows"
    case .other(let name): name
    }
  }

  /// Whether the content is rows of a table.
  public var isTable: Bool { if case .table = content { true } else { false } }

  /// `[channels, height, width]`; `nil` when the content is not images, or when the image size depends on the files.
  public var imageSize: [Int]? { if case .images(let size, _, _) = content { size } else { nil } }

  /// The class names; `nil` when there are none, or when they depend on the files.
  public var classNames: [String]? {
    switch content {
    case .images(_, let names, _): names
    case .text, .table, .other: nil
    case .labelledTexts(let names, _): names
    }
  }

  /// Whether the file or folder at `defaultPath` exists. Without a default path: `true` if the source string has no
  /// colon, otherwise `nil`, because only the text after the colon says what is read.
  public var isInstalled: Bool? {
    if let defaultPath { return FileSystem.exists(defaultPath) }
    return argument == nil ? true : nil
  }
}

extension DatasetDescription {
  private static let registered = Mutex<[DatasetDescription]>([])

  /// All data sets, in listing order: the data sets of Apus, then the data sets that the program registered.
  public static var all: [DatasetDescription] { known + registered.withLock { $0 } }

  /// Adds a data set to the ones that a source string can name.
  /// - Precondition: No other data set has its name.
  public static func register(_ description: DatasetDescription) {
    guard !all.contains(where: { $0.name == description.name }) else {
      fatalError("DatasetDescription: a data set named \(description.name) exists already")
    }
    registered.withLock { $0.append(description) }
  }

  /// Returns the description of a data set of labeled images.
  /// - Parameters:
  ///   - argument: the placeholder for the text after the colon of a source; `nil` for sources without a colon.
  ///   - imageSize: `[channels, height, width]`; `nil` if it depends on the files.
  ///   - classNames: the names of the classes; `nil` if they depend on the files.
  ///   - read: reads the images; receives the text after the colon, and which fractions to hold out.
  public static func images(
    named name: String, argument: String? = nil, summary: String, imageSize: [Int]? = nil,
    classNames: [String]? = nil, read: @escaping @Sendable (String, SplitOptions) throws(DataError) -> ImageDataset
  ) -> DatasetDescription {
    DatasetDescription(
      name: name, argument: argument, summary: summary,
      content: .images(size: imageSize, classNames: classNames, read))
  }

  /// Returns the description of a text for language models. The last tenth of the text is the test split.
  public static func text(
    named name: String, argument: String? = nil, summary: String,
    read: @escaping @Sendable (String) throws(DataError) -> String
  ) -> DatasetDescription {
    DatasetDescription(name: name, argument: argument, summary: summary, content: .text(read))
  }

  /// Returns the description of labeled texts. Every tenth text belongs to the test split.
  public static func labelledTexts(
    named name: String, argument: String? = nil, summary: String, classNames: [String]? = nil,
    read: @escaping @Sendable (String) throws(DataError) -> (texts: LabelledTexts, classNames: [String])
  ) -> DatasetDescription {
    DatasetDescription(
      name: name, argument: argument, summary: summary, content: .labelledTexts(classNames: classNames, read))
  }

  /// Returns the description of examples of another kind, which the program reads itself.
  /// - Parameter examples: the name of the examples, in the plural.
  public static func other(
    named name: String, argument: String? = nil, summary: String, examples: String
  ) -> DatasetDescription {
    DatasetDescription(name: name, argument: argument, summary: summary, content: .other(examples))
  }

  private static let known: [DatasetDescription] = [
    .fashionMNIST, .mnist, .synthetic, .cifar10, .cifar100, .cifar100Coarse, .imageFolder, .bible, .text, .bibleVerses,
    .labelledText, .csv,
  ]

  /// The data set that a source names, and the text after the colon of the source.
  public static func find(
    _ source: String
  ) throws(DataError) -> (description: DatasetDescription, argument: String?) {
    let parts = source.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let value = parts.count > 1 ? String(parts[1]) : nil
    guard let match = all.first(where: { $0.name == parts[0] }),
      (match.argument == nil) == (value == nil), value != ""
    else {
      throw .unknownSource(source, known: all.map(\.source))
    }
    return (match, value)
  }

  /// Whether a source is a data set with a known training and test split, such as `fashion-mnist` or `bible-kjv`.
  ///
  /// Other sources have no splits, so all their examples may be used to evaluate a model. These are texts and tables in
  /// a file that the source names after a colon, image folders without a folder for each split, and data sets of kind
  /// `other`.
  public static func hasFixedSplits(_ source: String) throws(DataError) -> Bool {
    let (description, argument) = try find(source)
    switch description.content {
    case .images: return description.name == imageFolder.name ? try ImageFolder.hasSplits(argument ?? "") : true
    case .text, .labelledTexts: return argument == nil
    case .table, .other: return false
    }
  }

  /// Reads a source with `read`, which returns `nil` for content that is not of the kind `wanted`. `load` then throws.
  static func load<R>(
    _ source: String, _ wanted: String, _ read: (Content, String) throws(DataError) -> R?
  ) throws(DataError) -> R {
    let (description, argument) = try find(source)
    if let result = try read(description.content, argument ?? "") { return result }
    let fitting = all.filter { $0.contentName == wanted }.map(\.source).joined(separator: ", ")
    throw .unsupported(
      path: source, format: "data", reason: "it has \(description.contentName), but the model needs \(wanted)",
      remedy: "use one of \(fitting)")
  }
}

extension ImageDataset {
  /// Reads the data set that a source names: `fashion-mnist`, `mnist:DIR`, `cifar10:PATH`, `image-folder:DIR`.
  ///
  /// - Parameter split: the fractions to hold out for the splits that the data set does not have
  public static func load(
    _ source: String, split: SplitOptions = SplitOptions()
  ) throws(DataError) -> ImageDataset {
    let data = try DatasetDescription.load(source, "images") { content, argument throws(DataError) in
      if case .images(_, _, let read) = content { try read(argument, split) } else { nil }
    }
    return try data.holdingOut(split)
  }
}

extension TextCorpus {
  /// Reads the text that a source names: `bible-kjv`, `text:FILE`.
  public static func load(_ source: String) throws(DataError) -> TextCorpus {
    let (description, argument) = try DatasetDescription.find(source)
    return try TextCorpus(name: argument ?? description.name, text: text(ofSource: source))
  }

  /// Reads the whole text of a source, without holding out a test split.
  public static func text(ofSource source: String) throws(DataError) -> String {
    try DatasetDescription.load(source, "text") { content, argument throws(DataError) in
      if case .text(let read) = content { try read(argument) } else { nil }
    }
  }
}

extension TextDataset {
  /// Reads the labeled texts that a source names: `bible-verses`, `labelled-text:FILE`.
  public static func load(_ source: String) throws(DataError) -> TextDataset {
    let (texts, classNames) = try LabelledTexts.load(source)
    let (description, argument) = try DatasetDescription.find(source)
    return try TextDataset(name: argument ?? description.name, classNames: classNames, all: texts)
  }
}

extension LabelledTexts {
  /// Reads all labeled texts of a source, without holding out a test split, and the names of their classes.
  public static func load(_ source: String) throws(DataError) -> (texts: LabelledTexts, classNames: [String]) {
    try DatasetDescription.load(source, "labelled texts") { content, argument throws(DataError) in
      if case .labelledTexts(_, let read) = content { try read(argument) } else { nil }
    }
  }
}
