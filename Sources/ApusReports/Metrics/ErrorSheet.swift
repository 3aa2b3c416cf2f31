import ApusData
import ApusSystem

/// A spreadsheet of misclassified examples, with columns for tags that are filled in by hand and read back.
///
/// Tags are user-defined words for the difficulty of an example, such as `blurry`. They are written in columns named
/// `tag`, `tags` or `tag …`; several tags in a cell are separated by semicolons. The title of an additional column is
/// also a tag: a row has this tag if its cell in the column contains any mark except `0`, `-`, `n`, `no` and `false`.
public struct ErrorSheet: Hashable, Sendable {
  /// A row that was read back.
  public struct Row: Hashable, Sendable {
    /// The example's index.
    public var example: Int
    /// The true class, as in the sheet, but without a protecting apostrophe (see `text(of:)`).
    public var truth: String
    /// The tags without duplicates, in the order of the columns.
    public var tags: [String]
    /// Whether a person has examined the example: it has a tag or a comment.
    public var isExamined: Bool
  }

  /// The rows in the order of the file.
  public let rows: [Row]

  private static let columns = ["example", "name", "true", "predicted", "probability", "loss"]
  private static let tagColumns = ["tag 1", "tag 2", "tag 3"]
  private static let comment = "comment"
  /// The marks in an additional column that do not give a row the tag.
  private static let negations: Set<String> = ["0", "no", "false", "-", "n"]

  /// The text of a sheet to fill in.
  ///
  /// Texts that begin with `=`, `+`, `-`, `@`, a tab or a carriage return are prefixed with an apostrophe: spreadsheets
  /// would interpret them as formulas, and the names of files are not trusted. (OWASP, "CSV injection".) Texts that
  /// begin with an apostrophe get a second one, because reading removes the first.
  public static func text(of analysis: ErrorAnalysis) -> String {
    let header = columns + tagColumns + [comment]
    let rows = analysis.entries.map { entry in
      [
        String(entry.example), protected(entry.name), protected(entry.truth), protected(entry.predicted),
        entry.probability.map { $0.text(places: 6) } ?? "", entry.loss.text(places: 6),
      ] + tagColumns.map { _ in "" } + [""]
    }
    return CSVWriter.text(of: [header] + rows)
  }

  /// Writes a sheet to fill in; an older file at `path` is replaced as a whole.
  public static func write(_ analysis: ErrorAnalysis, to path: String) throws(DataError) {
    do throws(FileError) {
      try AtomicFile.write(Array(text(of: analysis).utf8), to: path)
    } catch {
      throw DataError(error)
    }
  }

  static func protected(_ text: String) -> String {
    guard let first = text.unicodeScalars.first, "=+-@\t\r'".unicodeScalars.contains(first) else { return text }
    return "'" + text
  }

  private static func unprotected(_ text: String) -> String { text.hasPrefix("'") ? String(text.dropFirst()) : text }

  // MARK: - Reading

  /// Reads a sheet that was filled in, with its columns in any order.
  public init(path: String) throws(DataError) { try self.init(CSVReader(path: path), path: path) }

  /// - Parameter path: the file that contains the bytes, for error messages.
  init(_ bytes: [UInt8], path: String) throws(DataError) {
    try self.init(CSVReader(parsing: bytes, path: path), path: path)
  }

  private init(_ reader: CSVReader, path: String) throws(DataError) {
    func malformed(_ line: Int, _ reason: String) -> DataError {
      .malformed(
        path: path, format: "CSV", location: .line(line), reason: reason,
        remedy: "use a sheet that apus errors has written, with tags filled in")
    }
    let header = try reader.next()?.fields.map { String($0.trimmed) } ?? []
    guard let number = header.firstIndex(of: "example"), let truth = header.firstIndex(of: "true") else {
      throw malformed(1, "the first line does not name the columns example and true")
    }
    var rows: [Row] = []
    var lines: [Int: Int] = [:]
    while let row = try reader.next() {
      // Spreadsheet programs may drop or add empty cells at the end of a row.
      let fields = header.indices.map { $0 < row.fields.count ? String(row.fields[$0].trimmed) : "" }
      if row.fields.allSatisfy({ $0.trimmed.isEmpty }) { continue }
      guard row.fields.dropFirst(header.count).allSatisfy({ $0.trimmed.isEmpty }) else {
        throw malformed(
          row.line, "it has \(row.fields.count.text(of: "field")), but the first line has \(header.count)")
      }
      guard let example = Int(fields[number]), example >= 0 else {
        throw malformed(row.line, "\(fields[number].quoted()) is not the number of an example")
      }
      if let other = lines.updateValue(row.line, forKey: example) {
        throw malformed(row.line, "example \(example) is on line \(other), too")
      }
      let tags = ErrorSheet.tags(fields, header)
      let hasComment = zip(header, fields).contains { $0 == ErrorSheet.comment && !$1.isEmpty }
      rows.append(
        Row(
          example: example, truth: ErrorSheet.unprotected(fields[truth]), tags: tags,
          isExamined: !tags.isEmpty || hasComment))
    }
    self.rows = rows
  }

  private static func tags(_ fields: [String], _ header: [String]) -> [String] {
    var tags: [String] = []
    for (name, field) in zip(header, fields) where !field.isEmpty && !name.isEmpty && name != comment {
      let found: [String]
      if name.hasPrefix("tag ") || name == "tag" || name == "tags" {
        found = field.split(separator: ";").map { String($0.trimmed) }.filter { !$0.isEmpty }
      } else if columns.contains(name) || negations.contains(field.lowercased()) {
        found = []
      } else {
        found = [name]
      }
      for tag in found.map(unprotected) where !tags.contains(tag) { tags.append(tag) }
    }
    return tags
  }
}
