import ApusFiles

/// How the columns of a table become features.
public struct TableEncoding: Hashable, Sendable {
  /// How numbers are scaled.
  public enum Scaling: String, CaseIterable, Hashable, Sendable {
    /// `(x − mean) / standard deviation`, the latter with the divisor `n`, as scikit-learn's `StandardScaler`.
    case standard
    /// `(x − min) / (max − min)`, as `MinMaxScaler`.
    case minMax = "minmax"
    case none
  }

  /// What stands for missing numbers.
  public enum Imputation: String, CaseIterable, Hashable, Sendable {
    case mean
    case median
  }

  /// How categories become numbers.
  public enum Categories: String, CaseIterable, Hashable, Sendable {
    /// A feature for each category, 1 for that of the row; all 0 for an unknown or missing one.
    case oneHot = "one-hot"
    /// One feature: 1, 2, … for an embedding, 0 for an unknown or missing category.
    case codes
  }

  /// How numbers are scaled.
  public var scaling = Scaling.standard
  /// What stands for missing numbers.
  public var imputation = Imputation.mean
  /// Whether a feature tells rows that miss a number, for columns in which training rows do.
  public var indicatesMissing = false
  /// How categories become numbers.
  public var categories = Categories.oneHot

  /// Standardized numbers, the mean for missing ones, one-hot categories.
  public init() {}
}

/// Turns rows of a table into features, in a way that is fitted on the training rows alone.
///
/// Missing numbers are filled in before columns are scaled, as in scikit-learn's
/// `make_pipeline(SimpleImputer(), StandardScaler())`. A column that is constant in the training rows is not divided by
/// anything: it becomes 0 there. One of numbers that is missing in all of them gives no feature.
public struct TableEncoder: Hashable, Sendable {
  /// What becomes of a column.
  public enum Rule: Hashable, Sendable {
    /// `(x − offset) / scale`, with `fill` for a missing `x`; if `indicatesMissing`, then 1 for a missing one, else 0.
    case number(fill: Double, offset: Double, scale: Double, indicatesMissing: Bool)
    /// A feature for each of these categories.
    case oneHot([String])
    /// The place of the category among these, counted from 1; 0 for others.
    case codes([String])
    /// No feature.
    case dropped
  }

  /// A column and what becomes of it.
  public struct Column: Hashable, Sendable {
    public let name: String
    /// What it held in the training rows.
    public let kind: Table.Kind
    /// What becomes of it.
    public let rule: Rule
  }

  /// The columns that are looked up by their names, in order.
  public let columns: [Column]

  /// The most features.
  static let widthLimit = 1 << 20

  /// Fits the rules of all columns of a table.
  ///
  /// - Parameters:
  ///   - table: the features, without the target
  ///   - rows: the training rows
  /// - Throws: when numbers are too large to be scaled, or there would be no features, or too many.
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
      throw .csv(table.name, .file, "no column has a value in the training part", "name a table with values")
    }
    guard width <= Self.widthLimit else {
      throw .csv(
        table.name, .file, "its categories make \(width) features, more than \(Self.widthLimit)",
        "leave out columns whose values are all different, or encode categories by codes")
    }
  }

  init(columns: [Column]) { self.columns = columns }

  /// The number of features.
  public var width: Int { columns.reduce(0) { $0 + $1.rule.width } }

  /// What each feature is called: `age`, `age missing`, `colour=red`.
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

  /// The features that hold codes, and how many different ones each: what embeddings have to be made for.
  public var codes: [(feature: Int, count: Int)] {
    var found: [(feature: Int, count: Int)] = []
    var place = 0
    for column in columns {
      if case .codes(let categories) = column.rule { found.append((place, categories.count + 1)) }
      place += column.rule.width
    }
    return found
  }

  /// What the columns hold, to read other tables in the same way: `TableOptions.kinds`.
  public var kinds: [String: Table.Kind] {
    Dictionary(columns.map { ($0.name, $0.kind) }, uniquingKeysWith: { first, _ in first })
  }

  /// The features of some rows, in their order: `[rows.count, width]`, row-major.
  ///
  /// - Throws: when the table lacks a column or has one of another kind, or a number does not fit a float32.
  /// - Precondition: all rows are in `0 ..< table.rowCount`.
  public func encode(_ table: Table, rows: [Int32]) throws(DataError) -> [Float] {
    let width = width
    guard !rows.count.multipliedReportingOverflow(by: 4 * width).overflow else {
      throw .csv(table.name, .file, "\(rows.count) rows of \(width) features are too many", "encode fewer at a time")
    }
    var features = [Float](repeating: 0, count: rows.count * width)
    var place = 0
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
          features[index * width + place] = value
          if indicatesMissing { features[index * width + place + 1] = number.isNaN ? 1 : 0 }
        }
      case (.oneHot(let known), .categories(let codes, let names)):
        Self.forEachKnown(known, rows, codes, names) { features[$0 * width + place + $1] = 1 }
      case (.codes(let known), .categories(let codes, let names)):
        Self.forEachKnown(known, rows, codes, names) { features[$0 * width + place] = Float($1 + 1) }
      default:
        throw .csv(
          table.name, .file, "the column \(column.name.quoted()) is \(found.kind), but was \(column.kind) in training",
          "correct its values")
      }
      place += column.rule.width
    }
    return features
  }

  /// Visits rows whose category is known, with its place among those known.
  private static func forEachKnown(
    _ known: [String], _ rows: [Int32], _ codes: [Int32], _ names: [String], _ body: (Int, Int) -> Void
  ) {
    let places = Dictionary(uniqueKeysWithValues: known.enumerated().map { ($1, $0) })
    let placesOfCodes = names.map { places[$0] }
    for (index, row) in rows.enumerated() {
      let code = codes[Int(row)]
      if code >= 0, let place = placesOfCodes[Int(code)] { body(index, place) }
    }
  }
}

extension TableEncoder.Rule {
  /// The number of features that it gives.
  var width: Int {
    switch self {
    case .number(_, _, _, let indicatesMissing): indicatesMissing ? 2 : 1
    case .oneHot(let categories): categories.count
    case .codes: 1
    case .dropped: 0
    }
  }
}
