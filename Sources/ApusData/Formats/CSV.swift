/// A streaming reader of delimiter-separated values (RFC 4180), plain or compressed by gzip.
///
/// Fields may be quoted; quoted fields may contain the delimiter, line ends, and doubled quotes. Lines end in LF, CR LF
/// or CR. Empty lines and a byte-order mark are skipped. Only the current record and the current chunk of a file are in
/// memory.
public final class CSVReader {
  /// The delimiter between the fields of a record.
  public enum Delimiter: UInt8, CaseIterable, Hashable, Sendable {
    case comma = 0x2c
    case semicolon = 0x3b
    case tab = 0x09
  }

  /// The fields of a record, and the line in which it starts, counted from 1.
  public typealias Record = (fields: [String], line: Int)

  /// The delimiter between the fields.
  public private(set) var delimiter = Delimiter.comma
  private let reader: ByteReader
  private let fieldLimit: Int
  private var chunk: [UInt8] = []
  private var position = 0
  private var line = 1
  /// For each byte value: whether it ends a run of ordinary bytes in an unquoted field.
  private var isSpecial = [Bool](repeating: false, count: 256)

  /// The default limit of the size of a field, in bytes.
  public static let defaultFieldLimit = 1 << 20
  private static let columnLimit = 1 << 20
  private static let recordLimit = 1 << 26
  private static let (lineFeed, carriageReturn, quote) = (UInt8(0x0a), UInt8(0x0d), UInt8(0x22))

  /// - Parameters:
  ///   - delimiter: `nil` selects the most frequent delimiter in the first line
  ///   - fieldLimit: the largest field that is accepted, in bytes
  init(_ reader: ByteReader, delimiter: Delimiter? = nil, fieldLimit: Int = defaultFieldLimit) throws(DataError) {
    self.reader = reader
    self.fieldLimit = fieldLimit
    chunk = try reader.read(1 << 16)
    if chunk.starts(with: [0xef, 0xbb, 0xbf]) { position = 3 }
    self.delimiter = delimiter ?? detected()
    for byte in [Self.lineFeed, Self.carriageReturn, Self.quote] { isSpecial[Int(byte)] = true }
    isSpecial[Int(self.delimiter.rawValue)] = true
  }

  /// Reads from memory; the bytes may be compressed by gzip.
  /// - Parameter path: the name of the source in errors.
  public convenience init(
    parsing bytes: [UInt8], path: String = "memory", delimiter: Delimiter? = nil, fieldLimit: Int = defaultFieldLimit
  ) throws(DataError) {
    try self.init(ByteReader(bytes, path: path), delimiter: delimiter, fieldLimit: fieldLimit)
  }

  /// Opens a file.
  public convenience init(
    path: String, delimiter: Delimiter? = nil, fieldLimit: Int = defaultFieldLimit
  ) throws(DataError) {
    try self.init(ByteReader(path: path), delimiter: delimiter, fieldLimit: fieldLimit)
  }

  /// The next record; `nil` at the end.
  ///
  /// - Throws: when the file cannot be read, quotes are misplaced, a field or record is too long, or the text is not
  ///   UTF-8.
  public func next() throws(DataError) -> Record? {
    while let byte = try peek(), byte == Self.lineFeed || byte == Self.carriageReturn { try takeLineEnd() }
    guard try peek() != nil else { return nil }
    let start = line
    var fields: [String] = []
    var size = 0
    while true {
      let bytes = try peek() == Self.quote ? quotedField() : plainField()
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw failure("field \(fields.count + 1) is not UTF-8", "convert it, for example with iconv -f latin1 -t utf-8")
      }
      fields.append(text)
      size += bytes.count
      guard fields.count <= Self.columnLimit, size <= Self.recordLimit else {
        throw failure("a record of more than \(Self.columnLimit) fields or \(Self.recordLimit) bytes")
      }
      guard let end = try peek() else { return (fields, start) }
      if end != delimiter.rawValue {
        try takeLineEnd()
        return (fields, start)
      }
      position += 1
    }
  }

  private func plainField() throws(DataError) -> [UInt8] {
    var bytes: [UInt8] = []
    while let next = try peek() {
      if next == Self.quote {
        throw failure("a quote inside a field", "quote the field, and double the quotes in it")
      }
      if isSpecial[Int(next)] { break }
      try takeRun(into: &bytes) { isSpecial[Int($0)] }
    }
    return bytes
  }

  private func quotedField() throws(DataError) -> [UInt8] {
    let start = line
    var bytes: [UInt8] = []
    position += 1
    while let next = try peek() {
      position += 1
      switch next {
      case Self.quote:
        let following = try peek()
        if following == Self.quote {
          position += 1
          bytes.append(Self.quote)
        } else if following == nil || following == delimiter.rawValue || following == Self.lineFeed
          || following == Self.carriageReturn
        {
          return bytes
        } else {
          throw failure("text after the closing quote of a field", "double the quotes inside quoted fields")
        }
      case Self.lineFeed, Self.carriageReturn:
        bytes.append(next)
        // CR LF counts as one line end.
        let following = try peek()
        if next == Self.lineFeed || following != Self.lineFeed { line += 1 }
      default:
        position -= 1
        try takeRun(into: &bytes) { $0 == Self.quote || $0 == Self.lineFeed || $0 == Self.carriageReturn }
      }
      if bytes.count > fieldLimit { throw tooLong() }
    }
    throw failure("quotes that open in line \(start) are never closed", "close them")
  }

  /// Appends the bytes before the next byte that satisfies `isEnd`, or all bytes up to the end of the chunk.
  @inline(__always)
  private func takeRun(into bytes: inout [UInt8], until isEnd: (UInt8) -> Bool) throws(DataError) {
    let end = chunk[position...].firstIndex(where: isEnd) ?? chunk.count
    bytes += chunk[position..<end]
    position = end
    if bytes.count > fieldLimit { throw tooLong() }
  }

  private func takeLineEnd() throws(DataError) {
    let isReturn = chunk[position] == Self.carriageReturn
    position += 1
    line += 1
    let following = try peek()
    if isReturn, following == Self.lineFeed { position += 1 }
  }

  /// The next byte, without consuming it; `nil` at the end.
  private func peek() throws(DataError) -> UInt8? {
    if position == chunk.count {
      chunk = try reader.read(1 << 16)
      position = 0
      if chunk.isEmpty { return nil }
    }
    return chunk[position]
  }

  /// The most frequent delimiter in the first line, outside quotes; a comma when there is none.
  private func detected() -> Delimiter {
    var counts: [UInt8: Int] = [:]
    var isQuoted = false
    for byte in chunk[position...].drop(while: { $0 == Self.lineFeed || $0 == Self.carriageReturn }) {
      if byte == Self.quote { isQuoted.toggle() }
      if isQuoted { continue }
      if byte == Self.lineFeed || byte == Self.carriageReturn { break }
      counts[byte, default: 0] += 1
    }
    var best = Delimiter.comma
    for other in Delimiter.allCases where counts[other.rawValue, default: 0] > counts[best.rawValue, default: 0] {
      best = other
    }
    return best
  }

  private func tooLong() -> DataError {
    failure("a field of more than \(fieldLimit) bytes", "check that quotes are closed")
  }

  private func failure(_ reason: String, _ remedy: String = "correct the file") -> DataError {
    .malformed(path: reader.path, format: "CSV", location: .line(line), reason: reason, remedy: remedy)
  }
}

/// A writer of comma-separated values (RFC 4180), for spreadsheets and other readers.
public enum CSVWriter {
  /// The text of records: commas separate the fields, CR LF ends each record. A field is quoted if it contains a
  /// delimiter of `CSVReader`, a quote or a line end. An empty field that is the only one of its record is quoted too,
  /// because readers skip empty lines.
  public static func text(of records: [[String]]) -> String {
    records.map { ($0 == [""] ? "\"\"" : $0.map(quoted).joined(separator: ",")) + "\r\n" }.joined()
  }

  private static func quoted(_ field: String) -> String {
    let isPlain = !field.unicodeScalars.contains { ",;\"\r\n\t".unicodeScalars.contains($0) }
    return isPlain ? field : "\"" + field.replacing("\"", with: "\"\"") + "\""
  }
}
