/// A table in memory, by columns.
public struct Table: Hashable, Sendable {
  /// What the values of a column are.
  public enum Kind: String, Hashable, Sendable {
    case numeric
    case categorical
  }

  /// A named column.
  public struct Column: Hashable, Sendable {
    /// The values of a column.
    public enum Values: Hashable, Sendable {
      /// A number for each row, NaN where it is missing.
      case numbers([Double])
      /// For each row the place of its category among `names`, −1 where it is missing.
      case categories(codes: [Int32], names: [String])
    }

    public let name: String
    /// The values, one a row.
    public let values: Values

    public init(name: String, values: Values) {
      self.name = name
      self.values = values
    }

    var count: Int {
      switch values {
      case .numbers(let numbers): numbers.count
      case .categories(let codes, _): codes.count
      }
    }

    /// What the values are.
    public var kind: Kind { if case .numbers = values { .numeric } else { .categorical } }
  }

  /// What the table is called in errors: the path of its file.
  public let name: String
  /// The columns, in order.
  public let columns: [Column]
  /// The number of rows.
  public let rowCount: Int
  /// The line of the file in which each row starts.
  let lines: [Int]

  /// A table of columns.
  /// - Precondition: they have the same number of rows, and names of their own.
  public init(name: String = "memory", columns: [Column]) {
    let count = columns.first?.count ?? 0
    guard columns.allSatisfy({ $0.count == count }), Set(columns.map(\.name)).count == columns.count else {
      fatalError("Table: columns \(columns.map { "\($0.name) of \($0.count) rows" })")
    }
    self.init(name: name, columns: columns, lines: Array(1..<count + 1))
  }

  init(name: String, columns: [Column], lines: [Int]) {
    self.name = name
    self.columns = columns
    rowCount = lines.count
    self.lines = lines
  }

  /// The column of a name.
  public subscript(name: String) -> Column? { columns.first { $0.name == name } }

  /// The line of the file in which a row starts, from 1; of a table that was made of columns, the row's number from 1.
  /// - Precondition: `row` is in `0 ..< rowCount`.
  public func line(of row: Int) -> Int { lines[row] }

  /// The same without a column.
  func removing(_ name: String) -> Table {
    Table(name: self.name, columns: columns.filter { $0.name != name }, lines: lines)
  }
}

/// How a table is read.
public struct TableOptions: Hashable, Sendable {
  /// What stands between the fields; `nil` takes what stands most often in the first line.
  public var delimiter: CSVReader.Delimiter?
  /// Whether the first line names the columns; else they are called `column 1`, `column 2`, …
  public var hasHeader = true
  /// What columns of these names hold, instead of what their content says.
  public var kinds: [String: Table.Kind] = [:]
  /// Columns that are left out.
  public var ignored: Set<String> = []
  /// The words that stand for a missing value, in lower case; how they are written does not matter.
  public var missing: Set<String> = ["", "na", "n/a", "nan", "null", "?"]

  /// A header, kinds by content, no column left out.
  public init() {}
}
