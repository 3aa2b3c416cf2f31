import ApusSystem

extension Table {
  /// Reads a file of delimiter-separated values, plain or compressed by gzip.
  ///
  /// A column is numeric if all its values, except missing ones, are decimal numbers; otherwise it is categorical.
  /// `notes` names the columns that are categorical only because a few of their values are not numbers. White space
  /// around values is ignored. The file is read twice: first for the kinds of the columns, then for the values. The
  /// whole text is never in memory.
  ///
  /// - Throws: an error that names the line when a row does not have as many fields as the first line, a value is not
  ///   of the requested kind, or a number is too large; also when there are no rows, two columns have the same name,
  ///   `options` name a column that does not exist, numbers have decimal commas, or the table is too large.
  public init(path: String, options: TableOptions = TableOptions()) throws(DataError) {
    try self.init(path, options) { () throws(DataError) in try CSVReader(path: path, delimiter: options.delimiter) }
  }

  /// Parses delimiter-separated values that are already in memory. `path` names the source in errors.
  public init(
    parsing bytes: [UInt8], path: String = "memory", options: TableOptions = TableOptions()
  ) throws(DataError) {
    try self.init(path, options) { () throws(DataError) in
      try CSVReader(parsing: bytes, path: path, delimiter: options.delimiter)
    }
  }

  private init(
    _ path: String, _ options: TableOptions, _ open: () throws(DataError) -> CSVReader
  ) throws(DataError) {
    let survey = try TableSurvey(path, options, open())
    let rowByteCount = survey.rowByteCount
    var builders = survey.names.indices.map { ColumnBuilder(name: survey.names[$0], kind: survey.kinds[$0]) }
    var lines: [Int] = []
    let missing = MissingWords(options.missing)
    var budget = GrowingBudget(path)
    try survey.forEachRow(of: open()) { fields, line throws(DataError) in
      lines.append(line)
      try budget.take(rowByteCount, line: line)
      for (index, field) in fields.enumerated() where survey.isWanted[index] {
        try builders[index].append(field.trimmed, missing, path, line, &budget)
      }
    }
    let columns = builders.indices.filter { survey.isWanted[$0] }.map { builders[$0].column }
    self.init(name: path, columns: columns, lines: lines, notes: survey.notes)
  }
}

extension Table {
  /// The column names of a file, read from its first line alone.
  static func columnNames(path: String, options: TableOptions) throws(DataError) -> [String] {
    try CSVReader(path: path, delimiter: options.delimiter).next().map { TableSurvey.names(of: $0, options) } ?? []
  }
}

/// The columns of a file and their kinds, determined by reading it once.
private struct TableSurvey {
  let path: String
  let names: [String]
  let isWanted: [Bool]
  var wantedCount: Int { isWanted.count { $0 } }
  /// The maximum memory of a row: 8 bytes for the line number and 8 for each value.
  var rowByteCount: Int { 8 + 8 * wantedCount }
  private(set) var kinds: [Table.Kind] = []
  private(set) var notes: [String] = []
  private let hasHeader: Bool

  init(_ path: String, _ options: TableOptions, _ reader: CSVReader) throws(DataError) {
    self.path = path
    hasHeader = options.hasHeader
    guard let first = try reader.next() else { throw .csv(path, .file, "it is empty", "use a file with rows") }
    names = TableSurvey.names(of: first, options)
    isWanted = names.map { !options.ignored.contains($0) }
    try checkNames(options)
    try survey(options, reader, hasHeader ? nil : first)
  }

  static func names(of first: CSVReader.Record, _ options: TableOptions) -> [String] {
    first.fields.enumerated().map { index, field in
      let name = String(field.trimmed)
      return options.hasHeader && !name.isEmpty ? name : "column \(index + 1)"
    }
  }

  private func checkNames(_ options: TableOptions) throws(DataError) {
    var seen: Set<String> = []
    for name in names where !seen.insert(name).inserted {
      throw .csv(path, .line(1), "two columns are named \(name.quoted())", "give each column its own name")
    }
    for name in options.kinds.keys.sorted() + options.ignored.sorted() where !seen.contains(name) {
      throw .noColumn(name, path, names)
    }
  }

  private mutating func survey(
    _ options: TableOptions, _ reader: CSVReader, _ first: CSVReader.Record?
  ) throws(DataError) {
    var contents = [ColumnContents](repeating: ColumnContents(), count: names.count)
    let missing = MissingWords(options.missing)
    var count = 0
    // In the first pass, the memory budget counts only the rows, not the names of the categories.
    var budget = GrowingBudget(path)
    let rowByteCount = rowByteCount
    func look(at record: CSVReader.Record) throws(DataError) {
      try check(record)
      try budget.take(rowByteCount, line: record.line)
      count += 1
      for index in names.indices where isWanted[index] {
        contents[index].add(record.fields[index].trimmed, record.line, missing)
      }
    }
    if let first { try look(at: first) }
    while let record = try reader.next() { try look(at: record) }
    guard count > 0 else { throw .csv(path, .file, "it has no rows after the header", "use a file with rows") }
    for (name, contents) in zip(names, contents) where options.kinds[name] == nil {
      guard let other = contents.firstOther else { continue }
      if contents.hasOnlyCommas {
        throw .csv(
          path, .file,
          "the column \(name.quoted()) has numbers with commas, such as \(other.text.printable(limit: 40))",
          "write them with decimal points and without thousands separators")
      }
      if contents.numberCount >= 9 * contents.otherCount {
        notes.append(
          "the column \(name.quoted()) of \(path.printable()) is categorical: \(contents.numberCount) of its values are "
            + "numbers, but \(other.text.quoted()) in line \(other.line) is not; leave missing values empty")
      }
    }
    kinds = zip(names, contents).map { options.kinds[$0] ?? ($1.firstOther == nil ? .numeric : .categorical) }
  }

  private func check(_ record: CSVReader.Record) throws(DataError) {
    guard record.fields.count == names.count else {
      throw .csv(
        path, .line(record.line), "\(record.fields.count.text(of: "field")), but the first line has \(names.count)",
        "correct the line; fields with delimiters must be quoted")
    }
  }

  /// Reads the rows a second time and checks them again, because the file may have changed.
  func forEachRow(
    of reader: CSVReader, _ body: ([String], Int) throws(DataError) -> Void
  ) throws(DataError) {
    if hasHeader { _ = try reader.next() }
    while let record = try reader.next() {
      try check(record)
      try body(record.fields, record.line)
    }
  }
}

/// How many values of a column are numbers, and how many are not; missing values do not count.
private struct ColumnContents {
  private(set) var numberCount = 0
  /// The number of values that are not decimal numbers, such as words and `38,1`, and the first of these values.
  private(set) var otherCount = 0
  private(set) var firstOther: (text: String, line: Int)?
  /// Whether each of the `otherCount` values is a number with a decimal comma.
  private(set) var hasOnlyCommas = true

  mutating func add(_ text: Substring, _ line: Int, _ missing: MissingWords) {
    if missing.contains(text) { return }
    if Number(text) != nil { return numberCount += 1 }
    otherCount += 1
    if firstOther == nil { firstOther = (String(text), line) }
    hasOnlyCommas = hasOnlyCommas && text.isDecimalComma
  }
}

extension Substring {
  /// Whether the text is a number with a decimal comma instead of a decimal point: `38,1`.
  fileprivate var isDecimalComma: Bool {
    utf8.count { $0 == 0x2c } == 1 && !utf8.contains(0x2e) && Number(self[...].replacing(",", with: ".")[...]) != nil
  }
}

/// A decimal number; infinite if it is too large.
private struct Number {
  let value: Double

  init?(_ text: Substring) {
    // `Double(_:)` also accepts words such as `nan`, and hexadecimal numbers.
    let isDecimal = text.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || "+-.eE".utf8.contains(byte)
    }
    guard isDecimal, let value = Double(text) else { return nil }
    self.value = value
  }
}

/// The words for missing values, compared in lower case.
private struct MissingWords {
  private let words: Set<String>
  private let longest: Int

  init(_ words: Set<String>) {
    self.words = words
    longest = words.reduce(0) { max($0, $1.utf8.count) }
  }

  func contains(_ text: Substring) -> Bool { text.utf8.count <= longest && words.contains(text.lowercased()) }
}

/// Builds a column row by row.
private struct ColumnBuilder {
  private let name: String
  private let kind: Table.Kind
  private var numbers: [Double] = []
  private var codes: [Int32] = []
  private var categories: [String] = []
  private var codesByCategory: [String: Int32] = [:]

  init(name: String, kind: Table.Kind) {
    self.name = name
    self.kind = kind
  }

  mutating func append(
    _ text: Substring, _ missing: MissingWords, _ path: String, _ line: Int, _ budget: inout GrowingBudget
  ) throws(DataError) {
    let isMissing = missing.contains(text)
    switch kind {
    case .numeric:
      guard let value = isMissing ? Double.nan : Number(text)?.value else {
        throw .csv(path, .line(line), "\(text.quoted()) in the column \(name.quoted()) is not a number", "correct it")
      }
      guard !value.isInfinite else {
        throw .csv(
          path, .line(line), "\(text.printable(limit: 40)) in the column \(name.quoted()) is too large", "correct it")
      }
      numbers.append(value)
    case .categorical: codes.append(isMissing ? -1 : try code(of: String(text), line, &budget))
    }
  }

  /// An estimate of the memory that a category takes in `categories` and `codesByCategory`, without its text.
  private static let categoryByteCount = 96

  private mutating func code(
    of category: String, _ line: Int, _ budget: inout GrowingBudget
  ) throws(DataError) -> Int32 {
    if let code = codesByCategory[category] { return code }
    try budget.take(ColumnBuilder.categoryByteCount + category.utf8.count, line: line)
    let code = Int32(categories.count)
    categories.append(category)
    codesByCategory[category] = code
    return code
  }

  var column: Table.Column {
    switch kind {
    case .numeric: Table.Column(name: name, values: .numbers(numbers))
    case .categorical: Table.Column(name: name, values: .categories(codes: codes, names: categories))
    }
  }
}

extension DataError {
  static func csv(_ path: String, _ location: Location, _ reason: String, _ remedy: String) -> DataError {
    .malformed(path: path, format: "CSV", location: location, reason: reason, remedy: remedy)
  }

  static func noColumn(_ name: String, _ path: String, _ names: [String]) -> DataError {
    // A suggestion begins with "; ", but the description of the error already puts "; " before the remedy.
    let match = suggestion(for: name, in: names).dropFirst(2)
    return .unsupported(
      path: path, format: "CSV", reason: "it has no column \(name.quoted())",
      remedy: match.isEmpty ? "use one of its \(names.count) columns" : String(match))
  }
}
