/// Text of rows and fields as spreadsheets exchange it (RFC 4180).
enum SeparatedValues {
  /// Rows that end with CRLF. Fields with commas, quotes or line ends are quoted.
  static func text(_ rows: [[String]]) -> String {
    rows.map { $0.map(quoted).joined(separator: ",") + "\r\n" }.joined()
  }

  private static func quoted(_ field: String) -> String {
    let isPlain = !field.unicodeScalars.contains { ",;\"\r\n\t".unicodeScalars.contains($0) }
    return isPlain ? field : "\"" + field.replacing("\"", with: "\"\"") + "\""
  }

  /// A row with the line that it begins on, from 1.
  struct Row: Hashable {
    var line: Int
    var fields: [String]
  }

  /// What is wrong, and on which line.
  struct Fault: Error {
    var line: Int
    var reason: String
  }

  /// Reads rows. Spreadsheets write what their country is used to: the separator is that of comma, semicolon and tab
  /// which the first line has most of; lines end with CRLF, LF or CR; a byte order mark is skipped; empty lines are
  /// left out.
  static func rows(_ bytes: [UInt8]) throws(Fault) -> [Row] {
    let bytes = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? Array(bytes[3...]) : bytes
    let separator = separator(of: bytes)
    var (rows, row, field): ([Row], Row, [UInt8]) = ([], Row(line: 1, fields: []), [])
    var (line, place, wasQuoted) = (1, 0, false)
    func endField() throws(Fault) {
      guard let text = String(validating: field, as: UTF8.self) else {
        throw Fault(line: line, reason: "not UTF-8; save the sheet as CSV in UTF-8")
      }
      row.fields.append(text)
      field = []
      wasQuoted = false
    }
    func endRow() throws(Fault) {
      if !row.fields.isEmpty || !field.isEmpty || wasQuoted {
        try endField()
        rows.append(row)
      }
      row = Row(line: line + 1, fields: [])
    }
    while place < bytes.count {
      let byte = bytes[place]
      switch byte {
      case quote where field.isEmpty && !wasQuoted:
        (place, field) = try quotedField(bytes, place, &line)
        wasQuoted = true
        continue
      case separator: try endField()
      case 0x0d, 0x0a:
        if byte == 0x0d, place + 1 < bytes.count, bytes[place + 1] == 0x0a { place += 1 }
        try endRow()
        line += 1
      default:
        guard !wasQuoted else { throw Fault(line: line, reason: "text behind a closing quote") }
        field.append(byte)
      }
      place += 1
    }
    try endRow()
    return rows
  }

  private static let quote = UInt8(ascii: "\"")

  /// What stands between the quote at `place` and the one that closes, and the place behind that.
  private static func quotedField(
    _ bytes: [UInt8], _ place: Int, _ line: inout Int
  ) throws(Fault) -> (place: Int, field: [UInt8]) {
    let start = line
    var field: [UInt8] = []
    var place = place + 1
    while place < bytes.count {
      let byte = bytes[place]
      if byte == quote {
        guard place + 1 < bytes.count, bytes[place + 1] == quote else { return (place + 1, field) }
        place += 1
      }
      if byte == 0x0a { line += 1 }
      field.append(byte)
      place += 1
    }
    throw Fault(line: start, reason: "a quote is never closed")
  }

  private static func separator(of bytes: [UInt8]) -> UInt8 {
    let first = bytes.prefix { $0 != 0x0a && $0 != 0x0d }
    let counts = ",;\t".utf8.map { separator in (separator, first.count { $0 == separator }) }
    // The first of those that are equally frequent.
    return counts.reduce(counts[0]) { $1.1 > $0.1 ? $1 : $0 }.0
  }
}
