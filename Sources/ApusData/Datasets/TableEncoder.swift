import ApusSystem

/// The options for encoding the columns of a table as features.
public struct TableEncoding: Hashable, Sendable {
  /// How numbers are scaled.
  public enum Scaling: String, CaseIterable, Hashable, Sendable {
    /// `(x − mean) / σ` with `σ = √(Σ (x − mean)² / n)` over the `n` training rows, as scikit-learn's `StandardScaler`.
    case standard
    /// `(x − min) / (max − min)` with the extremes of the training rows, as scikit-learn's `MinMaxScaler`.
    case minMax = "minmax"
    case none
  }

  /// The replacement for missing numbers.
  public enum Imputation: String, CaseIterable, Hashable, Sendable {
    case mean
    case median
  }

  /// How categories become numbers.
  public enum Categories: String, CaseIterable, Hashable, Sendable {
    /// One feature per category: 1 for the row's category, else 0; all 0 for an unknown or missing category.
    case oneHot = "one-hot"
    /// One feature with the category's code 1, 2, … for an embedding; 0 for an unknown or missing category.
    case codes
  }

  /// How numbers are scaled.
  public var scaling = Scaling.standard
  /// The replacement for missing numbers.
  public var imputation = Imputation.mean
  /// Whether a numeric column gets a second feature, 1 for a missing number and else 0, if numbers are missing in its
  /// training rows.
  public var indicatesMissing = false
  /// How categories become numbers.
  public var categories = Categories.oneHot

  /// The default options: standardized numbers, the mean for missing numbers, one-hot categories.
  public init() {}
}

/// Encodes rows of a table as features, by rules that are fitted to the training rows alone.
///
/// Missing numbers are filled in before columns are scaled, as in scikit-learn's
/// `make_pipeline(SimpleImputer(), StandardScaler())`. A column that is constant in the training rows has the scale 1,
/// so standard and min-max scaling map its training values to 0. A numeric column without values in the training rows
/// gives no feature.
public struct TableEncoder: Hashable, Sendable {
  /// The encoding rule of a column.
  public enum Rule: Hashable, Sendable {
    /// `(x − offset) / scale`, with `fill` for a missing `x`; if `indicatesMissing`, a second feature is 1 for a
    /// missing `x`, else 0.
    case number(fill: Double, offset: Double, scale: Double, indicatesMissing: Bool)
    /// One feature for each of these categories.
    case oneHot([String])
    /// One feature: the index of the category in this list, counted from 1; 0 for an unknown or missing category.
    case codes([String])
    /// No feature.
    case dropped
  }

  /// A column and its encoding rule.
  public struct Column: Hashable, Sendable {
    public let name: String
    /// The kind of the column in the training table.
    public let kind: Table.Kind
    /// The encoding rule.
    public let rule: Rule
  }

  /// The encoded columns, in feature order; `encode` finds the columns of a table by their names.
  public let columns: [Column]

  /// The largest allowed number of features.
  static let widthLimit = 1 << 20

  /// Fits the rules of all columns of a table.
  ///
  /// - Parameters:
  ///   - table: the features, without the target
  ///   - rows: the indices of the training rows, counted from 0
  /// - Throws: when numbers are too large to be scaled, when the columns give no feature, or when they give more than
  ///   2²⁰ features.
  /// - Precondition: there are rows, all in `0 ..< table.rowCount`.
  public init(
    fitting table: Table, rows: [Int32], _ encoding: TableEncoding = TableEncoding()
  ) throws(DataError) {
    guard !rows.isEmpty else { fatalError("TableEncoder: no rows to fit \(table.name) on") }
    var columns: [Column] = []
    for column in table.columns {
      let rule = try Rule(fitting: column, rows, encoding, table.name)
      columns.append(Column(name: column.name, kind: column.kind, rule: rule))
    }
    self.columns = columns
    guard width > 0 else {
      throw .csv(table.name, .file, "no column has a value in the training rows", "use a table with values")
    }
    guard width <= Self.widthLimit else {
      throw .csv(
        table.name, .file, "its categories give \(width) features, more than the limit of \(Self.widthLimit)",
        "leave out columns whose values are all different, or encode categories by codes")
    }
  }

  init(columns: [Column]) { self.columns = columns }

  /// The number of features.
  public var width: Int { columns.reduce(0) { $0 + $1.rule.width } }

  /// The name of each feature: `age`, `age missing`, `color=red`.
  public var featureNames: [String] {
    columns.flatMap { column -> [String] in
      switch column.rule {
      case .number(_, _, _, let indicatesMissing): [column.name] + (indicatesMissing ? ["\(column.name) missing"] : [])
      case .oneHot(let categories): categories.map { "\(column.name)=\($0)" }
      case .codes: [column.name]
      case .dropped: []
      }
    }
  }

  /// For each feature that holds codes: its index, and the number of its different codes, 0 included. This number is
  /// the size of the feature's embedding table.
  public var codes: [(feature: Int, count: Int)] {
    var found: [(feature: Int, count: Int)] = []
    var start = 0
    for column in columns {
      if case .codes(let categories) = column.rule { found.append((start, categories.count + 1)) }
      start += column.rule.width
    }
    return found
  }

  /// The kinds of the columns, to read other tables in the same way (`TableOptions.kinds`).
  public var kinds: [String: Table.Kind] {
    Dictionary(columns.map { ($0.name, $0.kind) }, uniquingKeysWith: { first, _ in first })
  }

  /// The features of the given rows, in the given order: `[rows.count, width]`, row-major.
  ///
  /// - Throws: when the table lacks a column or has one of another kind, a number does not fit a float32, or the
  ///   features are too many.
  /// - Precondition: all rows are in `0 ..< table.rowCount`.
  public func encode(_ table: Table, rows: [Int32]) throws(DataError) -> [Float] {
    let width = width
    guard !rows.count.multipliedReportingOverflow(by: 4 * width).overflow else {
      throw .csv(table.name, .file, "\(rows.count) rows of \(width) features are too many", "encode fewer at a time")
    }
    var features = [Float](repeating: 0, count: rows.count * width)
    var start = 0
    for column in columns {
      guard let found = table[column.name] else {
        throw .noColumn(column.name, table.name, table.columns.map(\.name))
      }
      switch (column.rule, found.values) {
      case (.dropped, _): break
      case (.number(let fill, let offset, let scale, let indicatesMissing), .numbers(let numbers)):
        for (index, row) in rows.enumerated() {
          let number = numbers[Int(row)]
          let value = Float(((number.isNaN ? fill : number) - offset) / scale)
          guard value.isFinite else { throw .tooLarge(column.name, table.name, .line(table.lines[Int(row)])) }
          features[index * width + start] = value
          if indicatesMissing { features[index * width + start + 1] = number.isNaN ? 1 : 0 }
        }
      case (.oneHot(let known), .categories(let codes, let names)):
        Self.forEachKnown(known, rows, codes, names) { features[$0 * width + start + $1] = 1 }
      case (.codes(let known), .categories(let codes, let names)):
        Self.forEachKnown(known, rows, codes, names) { features[$0 * width + start] = Float($1 + 1) }
      default:
        throw .csv(
          table.name, .file, "the column \(column.name.quoted()) is \(found.kind), but was \(column.kind) in training",
          "correct its values")
      }
      start += column.rule.width
    }
    return features
  }

  /// Calls `body` for each row whose category is in `known`, with the row's index in `rows` and the category's index in
  /// `known`.
  private static func forEachKnown(
    _ known: [String], _ rows: [Int32], _ codes: [Int32], _ names: [String], _ body: (Int, Int) -> Void
  ) {
    let positions = Dictionary(uniqueKeysWithValues: known.enumerated().map { ($1, $0) })
    let positionsOfCodes = names.map { positions[$0] }
    for (index, row) in rows.enumerated() {
      let code = codes[Int(row)]
      if code >= 0, let position = positionsOfCodes[Int(code)] { body(index, position) }
    }
  }
}

extension TableEncoder.Rule {
  /// The number of features of the rule.
  var width: Int {
    switch self {
    case .number(_, _, _, let indicatesMissing): indicatesMissing ? 2 : 1
    case .oneHot(let categories): categories.count
    case .codes: 1
    case .dropped: 0
    }
  }
}
