import ApusTestSupport
import Synchronization
import Testing

@testable import ApusData

struct CSVTests {
  private func reader(
    _ bytes: [UInt8], _ delimiter: CSVReader.Delimiter? = nil, limit: Int = CSVReader.defaultFieldLimit
  ) throws(DataError) -> CSVReader {
    try CSVReader(parsing: bytes, path: "a.csv", delimiter: delimiter, fieldLimit: limit)
  }

  private func records(_ bytes: [UInt8], _ delimiter: CSVReader.Delimiter? = nil) throws(DataError) -> [[String]] {
    let reader = try reader(bytes, delimiter)
    var found: [[String]] = []
    while let record = try reader.next() { found.append(record.fields) }
    return found
  }

  private func records(_ text: String, _ delimiter: CSVReader.Delimiter? = nil) throws(DataError) -> [[String]] {
    try records(Array(text.utf8), delimiter)
  }

  private func failure(_ text: String, limit: Int = CSVReader.defaultFieldLimit) -> String {
    let error = #expect(throws: DataError.self) {
      let reader = try reader(Array(text.utf8), limit: limit)
      while try reader.next() != nil {}
    }
    return error?.description ?? ""
  }

  @Test func plainAndQuotedFields() throws {
    #expect(try records("a,b\n1,2\n") == [["a", "b"], ["1", "2"]])
    #expect(try records("a,b\r\n1,2") == [["a", "b"], ["1", "2"]])
    #expect(try records("a,b\r1,2\r") == [["a", "b"], ["1", "2"]])
    #expect(try records("\"a,\"\"x\"\"\",\"b\nc\r\nd\"\n,\n") == [["a,\"x\"", "b\nc\r\nd"], ["", ""]])
    #expect(try records("\"\",\" \"\n\" \",\"\"") == [["", " "], [" ", ""]])
    #expect(try records("\n\r\na\n\n\nb\n\n") == [["a"], ["b"]])
    #expect(try records("") == [] && records("\n\n") == [])
    #expect(try records([0xef, 0xbb, 0xbf] + Array("é,日本\n".utf8)) == [["é", "日本"]])
    #expect(try records(gzipped(Array("a,b\n".utf8))) == [["a", "b"]])
  }

  /// Records are read back as they were written, for any contents of their fields.
  @Test func recordsAreWritten() throws {
    let fields = [["a", "b"], ["", " x "], ["a,b;c\td", "\"q\" \r\n"], ["\n", "é"], [""]]
    let text = CSVWriter.text(of: fields)
    #expect(text.hasPrefix("a,b\r\n, x \r\n\"a,b;c\td\",\"\"\"q\"\" \r\n\"\r\n"))
    #expect(try records(text) == fields)
  }

  /// A very long line of a compressed file is not read into memory as a whole.
  @Test func veryLongLinesAreRefusedEarly() throws {
    let piece = gzipped([UInt8](repeating: UInt8(ascii: "x"), count: 1 << 24))
    let start = ContinuousClock.now
    #expect(throws: DataError.self) { try Table(parsing: (0..<64).flatMap { _ in piece }, path: "a.csv.gz") }
    let fields = gzipped(Array(String(repeating: "1,", count: 1 << 23).utf8))
    let error = #expect(throws: DataError.self) { try Table(parsing: fields + fields, path: "a.csv.gz") }
    #expect(error?.description.contains("a record of more than 1048576 fields") == true)
    #expect(ContinuousClock.now - start < .seconds(10))
  }

  /// The callback receives the fraction of the file that has been read. A table is read twice: each reading reports one
  /// fraction below 0.5.
  @Test func progressIsReported() throws {
    let scratch = try ScratchDirectory()
    let path = try scratch.write(Array(String(repeating: "1,2\n", count: 200_000).utf8), to: "a.csv")
    let shares = Mutex<[Double]>([])
    ReadingProgress.report = { name, share in if name == path { shares.withLock { $0.append(share) } } }
    defer { ReadingProgress.report = nil }
    #expect(try Table(path: path).rowCount == 199_999)
    let found = shares.withLock { $0 }
    #expect(found.count { $0 < 0.5 } == 2 && found.allSatisfy { $0 > 0 && $0 <= 1 } && found.last == 1, "\(found)")
  }

  @Test func delimitersAreDetectedOrGiven() throws {
    #expect(try records("a;b,c;d\n") == [["a", "b,c", "d"]])
    #expect(try records("a\tb\n1\t2,3,4\n") == [["a", "b"], ["1", "2,3,4"]])
    #expect(try records("\"a;b;c\",d\n") == [["a;b;c", "d"]])
    #expect(try records("a,b;c\n") == [["a", "b;c"]])
    #expect(try records("a,b;c\n", .semicolon) == [["a,b", "c"]])
    #expect(try reader(Array("a\tb".utf8)).delimiter == .tab && reader([]).delimiter == .comma)
  }

  @Test func linesAreCounted() throws {
    let reader = try reader(Array("a\n\n\"b\nc\r\nd\re\"\r\nf\rg\n".utf8))
    var lines: [Int] = []
    while let record = try reader.next() { lines.append(record.line) }
    #expect(lines == [1, 3, 7, 8])
  }

  /// The reader reads a file in chunks of 65,536 bytes. Fields, quotes and line ends may cross the chunks' boundaries.
  @Test func recordsMayCrossChunkBoundaries() throws {
    let record = ["x", "a \"quoted\"\r\nfield, of some length", "ü", ""]
    let line = "x,\"a \"\"quoted\"\"\r\nfield, of some length\",ü,\r\n"
    for start in 0..<line.utf8.count {
      let first = String(repeating: "y", count: 65_500 + start)
      let found = try records("\(first),,,\r\n" + line + line + line)
      #expect(found == [[first, "", "", ""], record, record, record], "\(start)")
    }
  }

  @Test func wrongQuotesAreRefused() {
    #expect(failure("a,b\n1,2\"3\n").contains("a.csv: not a valid CSV file in line 2: a quote inside a field"))
    #expect(failure("a,b\n1,\"2\" \n").contains("in line 2: text after the closing quote"))
    #expect(failure("a\n\"b\nc\n\n").contains("in line 5: quotes that open in line 2 are never closed"))
    #expect(failure("\"").contains("never closed"))
  }

  @Test func longFieldsAndOtherEncodingsAreRefused() {
    #expect(failure("a,b\n1,abcdefgh\n", limit: 7).contains("in line 2: a field of more than 7 bytes"))
    #expect(failure("a,b\n1,\"abcd\nfgh\"\n", limit: 7).contains("a field of more than 7 bytes"))
    let error = #expect(throws: DataError.self) { try records(Array("a\nb,".utf8) + [0xe9, 10]) }
    #expect(error?.description.contains("in line 2: field 2 is not UTF-8; convert it") == true)
    let bomb = gzipped(Array("a\n\"".utf8) + [UInt8](repeating: 120, count: 8 << 20))
    let bombError = #expect(throws: DataError.self) { try records(bomb) }
    #expect(bombError?.description.contains("a field of more than 1048576 bytes") == true)
  }

  @Test func noInputTraps() {
    let seeds = ["a,b\n1,\"2\"\"\n\"\n", "x;y\r\n\"é\";1e5\r\n;\r\n"].map { Array($0.utf8) }
    var accepted = 0
    for bytes in Mutations(of: seeds + [gzipped(seeds[0])], count: 10_000) where (try? records(bytes)) != nil {
      accepted += 1
    }
    #expect(accepted > 100 && accepted < 9_900, "\(accepted)")
  }
}
