/// Texts with class labels.
public struct LabelledTexts: Sendable {
  /// The texts, in the order of `labels`.
  public let texts: [String]
  /// The class of each text.
  public let labels: [Int32]

  /// - Precondition: there is a label for each text.
  public init(texts: [String], labels: [Int32]) {
    guard texts.count == labels.count else {
      fatalError("LabelledTexts: \(labels.count) labels for \(texts.count) texts")
    }
    self.texts = texts
    self.labels = labels
  }

  /// The lines of a text file, all labeled 0.
  public init(linesOf path: String) throws(DataError) {
    var lines = try TextCorpus.text(of: path).split(separator: "\n", omittingEmptySubsequences: false)
    if lines.last == "" { lines.removeLast() }
    self.init(texts: lines.map(String.init), labels: [Int32](repeating: 0, count: lines.count))
  }

  public var count: Int { texts.count }

  /// Reads lines `class<TAB>text`. Classes are numbered in the sorted order of their names; empty lines are skipped.
  static func reading(_ path: String) throws(DataError) -> (texts: LabelledTexts, classNames: [String]) {
    var examples: [(label: String, text: String)] = []
    let lines = try TextCorpus.text(of: path).split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() where !line.isEmpty {
      let parts = line.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
        throw .malformed(
          path: path, format: "labelled text", location: .line(index + 1), reason: "the line has no class or no text",
          remedy: "each line must be a class, a tab and a text")
      }
      examples.append((String(parts[0]), String(parts[1])))
    }
    guard !examples.isEmpty else {
      throw .unsupported(
        path: path, format: "labelled text", reason: "it is empty",
        remedy: "each line must be a class, a tab and a text")
    }
    let names = Set(examples.map(\.label)).sorted()
    let numbers = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, Int32($0)) })
    let texts = LabelledTexts(texts: examples.map(\.text), labels: examples.map { numbers[$0.label]! })
    return (texts, names)
  }
}

/// Labeled texts in a training and a test split.
public struct TextDataset: Sendable {
  public let name: String
  /// The class names, indexed by class number.
  public let classNames: [String]
  /// The texts from which a model learns; at least one.
  public let train: LabelledTexts
  /// The texts on which a model is measured; at least one.
  public let test: LabelledTexts

  /// - Throws: when a split is empty.
  public init(name: String, classNames: [String], train: LabelledTexts, test: LabelledTexts) throws(DataError) {
    guard train.count > 0, test.count > 0 else {
      throw .unsupported(
        path: name, format: "labelled text", reason: "it has \(train.count + test.count) texts",
        remedy: "use a file with ten texts or more: every tenth is held out for the test")
    }
    self.name = name
    self.classNames = classNames
    self.train = train
    self.test = test
  }

  /// Splits the texts: every tenth is held out for the test.
  public init(name: String, classNames: [String], all: LabelledTexts) throws(DataError) {
    let numbers = all.texts.indices
    func part(_ numbers: some Sequence<Int>) -> LabelledTexts {
      let chosen = Array(numbers)
      return LabelledTexts(texts: chosen.map { all.texts[$0] }, labels: chosen.map { all.labels[$0] })
    }
    try self.init(
      name: name, classNames: classNames, train: part(numbers.filter { $0 % 10 != 9 }),
      test: part(numbers.filter { $0 % 10 == 9 }))
  }

  /// Reads lines `class<TAB>text`. Classes are numbered in the sorted order of their names; empty lines are skipped.
  public init(path: String) throws(DataError) {
    let (texts, classNames) = try LabelledTexts.reading(path)
    try self.init(name: path, classNames: classNames, all: texts)
  }
}

extension DatasetDescription {
  static let labelledText = DatasetDescription(
    name: "labelled-text", argument: "FILE",
    summary: "lines \"class<TAB>text\" in UTF-8; every tenth line is held out",
    content: .labelledTexts(classNames: nil) { path throws(DataError) in try LabelledTexts.reading(path) })
}
