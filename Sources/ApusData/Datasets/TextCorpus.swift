import ApusFiles

/// Running text: its beginning to learn from, its end to test with.
public struct TextCorpus: Sendable {
  public let name: String
  /// What is learnt from.
  public let train: String
  /// What is held out.
  public let test: String

  /// The share that is held out.
  private static let testShare = 0.1
  /// Cuts a text: the last tenth of its characters (Unicode scalars) is held out.
  /// - Throws: when the text is too short to be cut.
  public init(name: String, text: String) throws(DataError) {
    let scalars = text.unicodeScalars
    let count = scalars.count
    let testCount = Int(Double(count) * TextCorpus.testShare)
    guard testCount > 0 else {
      throw .unsupported(
        path: name, format: "text", reason: "it has \(count) characters",
        remedy: "name a longer text: a tenth of it is held out for tests")
    }
    let cut = scalars.index(scalars.startIndex, offsetBy: count - testCount)
    self.name = name
    train = String(scalars[..<cut])
    test = String(scalars[cut...])
  }

  /// Reads a file of UTF-8.
  public init(path: String) throws(DataError) { try self.init(name: path, text: TextCorpus.text(of: path)) }

  /// The text of a file; lines may end as on Windows, and a byte-order mark is left out.
  static func text(of path: String) throws(DataError) -> String {
    var bytes = try reportingFiles { () throws(FileError) in
      try FileDescriptor.contents(of: path, limit: DataBudget.textByteCount)
    }
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
    return try text(bytes, path: path)
  }

  /// The text that bytes of UTF-8 are.
  static func text(_ bytes: [UInt8], path: String) throws(DataError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .malformed(
        path: path, format: "text", place: .offset(invalidOffset(of: bytes)), reason: "it is not UTF-8",
        remedy: "convert it, for example with iconv -f latin1 -t utf-8")
    }
    return bytes.contains(0x0D) ? text.replacing("\r\n", with: "\n") : text
  }

  /// Where bytes cease to be UTF-8.
  private static func invalidOffset(of bytes: [UInt8]) -> Int {
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var offset = 0
    while case .scalarValue(let scalar) = decoder.decode(&iterator) { offset += UTF8.width(scalar) }
    return offset
  }
}

extension DatasetDescription {
  static let text = DatasetDescription(
    name: "text", argument: "FILE", summary: "a text file in UTF-8, whose last tenth is held out",
    content: .text { path throws(DataError) in try TextCorpus.text(of: path) })
}
