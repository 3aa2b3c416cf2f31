import ApusSystem

/// The targets to predict from the rows of a table.
public enum TableTargets: Hashable, Sendable {
  /// The class of each row, and the classes' names.
  case classes([Int32], names: [String])
  /// The target value of each row.
  case numbers([Double])
}

/// The prediction task of a table. By default the last column is predicted, as classes or numbers according to its
/// content.
public struct TableTask: Hashable, Sendable {
  /// The kind of prediction.
  public enum Kind: String, Hashable, Sendable {
    case classification
    case regression
  }

  /// The target column; `nil` for the last one.
  public var target: String?
  /// Whether classes or numbers are predicted; `nil` infers it from the target column.
  ///
  /// With `nil`, the targets are classes if the column contains words, or whole numbers with at most 20 different
  /// values. Other numbers are regression targets.
  public var kind: Kind?

  public init(target: String? = nil, kind: Kind? = nil) {
    self.target = target
    self.kind = kind
  }
}

/// Rows of a table in training, validation and test splits.
public struct TableDataset: Sendable {
  public let name: String
  /// The target column.
  public let target: String
  /// All columns but the target.
  public let features: Table
  /// The targets of all rows.
  public let targets: TableTargets
  /// The rows of each split.
  public let split: Split

  /// The largest number of distinct whole numbers that are interpreted as classes.
  private static let classLimit = 20

  /// Separates the target column and splits the rows; with class targets, splits every class by the same fractions.
  ///
  /// - Throws: when the target column does not exist or is the only column, a row has no target, the targets of a
  ///   regression are words, all rows have the same class, or a requested split has no rows.
  public init(
    _ table: Table, task: TableTask = TableTask(), split options: SplitOptions = SplitOptions()
  ) throws(DataError) {
    try self.init(table, task, options, leastClassCount: 2)
  }

  /// - Parameter leastClassCount: the minimum number of classes.
  private init(
    _ table: Table, _ task: TableTask, _ options: SplitOptions, leastClassCount: Int
  ) throws(DataError) {
    let names = table.columns.map(\.name)
    guard let target = task.target ?? names.last, let column = table[target] else {
      throw .noColumn(task.target ?? "", table.name, names)
    }
    guard names.count > 1 else {
      throw .csv(
        table.name, .file, "it has no column except the target \(target.quoted())", "use a table of several columns")
    }
    name = table.name
    self.target = target
    features = table.removing(target)
    targets = try TableDataset.targets(of: column, in: table, task.kind)
    if case .classes(_, let names) = targets, names.count < leastClassCount {
      throw .csv(
        table.name, .file, "all rows have the same class in the target \(column.name.quoted())", "use another target")
    }
    split =
      switch targets {
      case .classes(let labels, _): Split(labels: labels, options)
      case .numbers(let numbers): Split(count: numbers.count, options)
      }
    let isSplit = options.test == 0 || !split.test.isEmpty
    guard isSplit, options.validation == 0 || !split.validation.isEmpty, !split.train.isEmpty else {
      let notes = table.notes.map { " (\($0))" }.joined()
      throw .tooFew(name, "its \(table.rowCount) rows are too few to hold some out\(notes)")
    }
  }

  private static func targets(
    of column: Table.Column, in table: Table, _ kind: TableTask.Kind?
  ) throws(DataError) -> TableTargets {
    switch column.values {
    case .categories(let codes, let names):
      guard kind != .regression else {
        let word = names.firstIndex { Double($0) == nil } ?? 0
        let row = codes.firstIndex(of: Int32(word)) ?? 0
        throw .csv(
          table.name, .line(table.line(of: row)),
          "the target \(column.name.quoted()) is not a number but \(names[word].quoted())", "use a target of numbers")
      }
      try checkMissing(codes.firstIndex(of: -1), column, table)
      return classes(codes, names) { names[$0] < names[$1] }
    case .numbers(let numbers):
      try checkMissing(numbers.firstIndex(where: \.isNaN), column, table)
      let different = distinct(numbers, atMost: kind == .classification ? .max : classLimit)
      let areClasses = kind.map { $0 == .classification } ?? (different?.allSatisfy { $0 == $0.rounded() } ?? false)
      guard areClasses, let different else { return .numbers(numbers) }
      let classIndices = Dictionary(uniqueKeysWithValues: different.enumerated().map { ($1, Int32($0)) })
      let codes = numbers.map { classIndices[$0]! }
      return classes(codes, different.map(\.shortText)) { different[$0] < different[$1] }
    }
  }

  /// Renumbers the classes in ascending order of their names or, for numeric targets, of their values.
  private static func classes(
    _ codes: [Int32], _ names: [String], sortedBy precedes: (Int, Int) -> Bool
  ) -> TableTargets {
    let order = names.indices.sortedArray(by: precedes)
    var ranks = [Int32](repeating: 0, count: names.count)
    for (rank, index) in order.enumerated() { ranks[index] = Int32(rank) }
    return .classes(codes.map { ranks[Int($0)] }, names: order.map { names[$0] })
  }

  private static func checkMissing(_ row: Int?, _ column: Table.Column, _ table: Table) throws(DataError) {
    guard let row else { return }
    throw .csv(
      table.name, .line(table.lines[row]), "the target \(column.name.quoted()) is missing",
      "remove the row, or use another target")
  }

  /// The distinct values of an array; `nil` when there are more than the limit.
  private static func distinct(_ numbers: [Double], atMost limit: Int) -> [Double]? {
    var found: Set<Double> = []
    for number in numbers where found.insert(number).inserted && found.count > limit { return nil }
    return Array(found)
  }
}

extension TableDataset {
  private init(_ data: TableDataset, targets: TableTargets, split: Split) {
    (name, target, features) = (data.name, data.target, data.features)
    (self.targets, self.split) = (targets, split)
  }

  /// The same rows with other targets, for example scaled ones.
  /// - Precondition: there is one target for each row.
  public func replacingTargets(_ targets: TableTargets) -> TableDataset {
    guard targets.count == features.rowCount else {
      fatalError("TableDataset: \(targets.count) targets for \(features.rowCount) rows")
    }
    return TableDataset(self, targets: targets, split: split)
  }

  /// The data set with fewer training rows; with class targets, it keeps nearly the same fraction of each class.
  ///
  /// - Parameters:
  ///   - count: the number of training rows; `nil` keeps all rows, and so does a number above the number of rows.
  ///   - seed: the seed of the random selection.
  public func limitingTraining(to count: Int?, seed: UInt64) -> TableDataset {
    let rows = split.train
    guard let count, count < rows.count else { return self }
    let subsets =
      switch targets {
      case .classes(let labels, _): NestedSubsets(labels: rows.map { labels[Int($0)] }, seed: seed)
      case .numbers: NestedSubsets(count: rows.count, seed: seed)
      }
    let chosen = subsets.subset(count).sorted()
    return TableDataset(
      self, targets: targets,
      split: Split(
        train: chosen.map { rows[Int($0)] }, validation: split.validation, test: split.test))
  }

  /// Mean and standard deviation of the training targets, as scikit-learn's `StandardScaler` computes them: the
  /// deviation is 1 if all targets are equal. `nil` for classes.
  public var targetStatistics: (mean: Double, standardDeviation: Double)? {
    guard case .numbers(let numbers) = targets else { return nil }
    let (mean, deviation) = TableEncoder.Rule.standardization(split.train.map { numbers[Int($0)] })
    return (mean, deviation)
  }
}

extension TableTargets {
  fileprivate var count: Int {
    switch self {
    case .classes(let labels, _): labels.count
    case .numbers(let numbers): numbers.count
    }
  }
}

extension TableDataset {
  /// Reads the table that a source (`csv:FILE`) names. The table must have the columns of the fitted `encoder`.
  /// - Parameters:
  ///   - task: what to predict; it must name the target column.
  ///   - targetKind: whether the targets are numbers or categories.
  public static func load(
    _ source: String, options: TableOptions = TableOptions(), encoder: TableEncoder, task: TableTask,
    targetKind: Table.Kind, split: SplitOptions = SplitOptions()
  ) throws(DataError) -> TableDataset {
    let table = try encoder.table(
      path: path(of: source), options: options, target: task.target ?? "", holding: targetKind, needsTarget: true)
    // Rows for evaluation need not contain all classes.
    return try TableDataset(table, task, split, leastClassCount: 1)
  }

  private static func path(of source: String) throws(DataError) -> String {
    try DatasetDescription.load(source, "table rows") { content, argument in
      if case .table = content { argument } else { nil }
    }
  }

  /// Reads the table that a source names: `csv:FILE`.
  public static func load(
    _ source: String, options: TableOptions = TableOptions(), task: TableTask = TableTask(),
    split: SplitOptions = SplitOptions()
  ) throws(DataError) -> TableDataset {
    try TableDataset(Table(path: path(of: source), options: options), task: task, split: split)
  }
}

extension DatasetDescription {
  static let csv = DatasetDescription(
    name: "csv", argument: "FILE",
    summary: "a CSV table; the last column is predicted, a fifth of the rows is held out", content: .table)
}
