/// A table in memory, stored by columns.
public struct Table: Hashable, Sendable {
  /// The kind of the values of a column.
  public enum Kind: String, Hashable, Sendable {
    case numeric
    case categorical
  }

  /// A named column.
  public struct Column: Hashable, Sendable {
    /// The values of a column.
    public enum Values: Hashable, Sendable {
      /// A number for each row, NaN for a missing value.
      case numbers([Double])
      /// For each row the index of its category in `names`, −1 for a missing value.
      case categories(codes: [Int32], names: [String])
    }

    public let name: String
    /// The values, one per row.
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

    /// The kind of the values.
    public var kind: Kind { if case .numbers = values { .numeric } else { .categorical } }
  }

  /// The name of the table in error messages: the path of the file, or the name that the creator of the table gave.
  public let name: String
  /// The columns, in order.
  public let columns: [Column]
  /// The length of each column. The header line of a file is not a row.
  public let rowCount: Int
  /// For each row, the number that `line(of:)` returns.
  let lines: [Int]
  /// A sentence for each column that is categorical although nearly all its values are numbers. The sentence names the
  /// column, the first value that is not a number, and the line of this value. Empty for a table that is not read from
  /// a file.
  public let notes: [String]

  /// Creates a table from columns.
  /// - Precondition: the columns have the same number of rows and distinct names.
  public init(name: String = "memory", columns: [Column]) {
    let count = columns.first?.count ?? 0
    guard columns.allSatisfy({ $0.count == count }), Set(columns.map(\.name)).count == columns.count else {
      fatalError(
        "Table: columns must have different names and equal numbers of rows: \(columns.map { "\($0.name) of \($0.count) rows" })"
      )
    }
    self.init(name: name, columns: columns, lines: Array(1..<count + 1))
  }

  init(name: String, columns: [Column], lines: [Int], notes: [String] = []) {
    self.name = name
    self.notes = notes
    self.columns = columns
    rowCount = lines.count
    self.lines = lines
  }

  /// The first column with this name; `nil` if there is none.
  public subscript(name: String) -> Column? { columns.first { $0.name == name } }

  /// The line of the file in which a row starts, counted from 1; for a table created from columns, the row number
  /// counted from 1.
  /// - Precondition: `row` is in `0 ..< rowCount`.
  public func line(of row: Int) -> Int { lines[row] }

  /// A copy of the table without the column called `name`.
  func removing(_ name: String) -> Table {
    Table(name: self.name, columns: columns.filter { $0.name != name }, lines: lines, notes: notes)
  }
}

/// How a table is read.
public struct TableOptions: Hashable, Sendable {
  /// The delimiter between fields; `nil` selects the delimiter that is the most frequent in the first line.
  public var delimiter: CSVReader.Delimiter?
  /// Whether the first line names the columns; else they are called `column 1`, `column 2`, …
  public var hasHeader = true
  /// The kinds of columns by name; they override the kinds that the content implies.
  public var kinds: [String: Table.Kind] = [:]
  /// The names of columns to skip.
  public var ignored: Set<String> = []
  /// The words for a missing value, in lower case; the comparison ignores case.
  public var missing: Set<String> = ["", "na", "n/a", "nan", "null", "?"]

  /// The default options: a header, kinds by content, all columns.
  public init() {}
}
