import ApusSystem

/// Running text: the beginning is the training split, the end is the test split.
public struct TextCorpus: Sendable {
  public let name: String
  /// The training text.
  public let train: String
  /// The test text, which is held out.
  public let test: String

  /// The fraction that is held out.
  private static let testShare = 0.1

  /// Splits a text: the last tenth of its characters (Unicode scalars) is held out.
  /// - Throws: when the text is too short to be split.
  public init(name: String, text: String) throws(DataError) {
    let scalars = text.unicodeScalars
    let count = scalars.count
    let testCount = Int(Double(count) * TextCorpus.testShare)
    guard testCount > 0 else {
      throw .unsupported(
        path: name, format: "text", reason: "it has \(count) characters",
        remedy: "use a longer text: a tenth of it is held out for the test")
    }
    let cut = scalars.index(scalars.startIndex, offsetBy: count - testCount)
    self.name = name
    train = String(scalars[..<cut])
    test = String(scalars[cut...])
  }

  /// Reads a text file in UTF-8.
  public init(path: String) throws(DataError) { try self.init(name: path, text: TextCorpus.text(of: path)) }

  /// The text of a file. Windows line ends become line feeds, and a byte-order mark is removed.
  static func text(of path: String) throws(DataError) -> String {
    var bytes = try reportingFiles { () throws(FileError) in
      try FileDescriptor.contents(of: path, limit: DataBudget.textByteCount)
    }
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
    return try text(bytes, path: path)
  }

  /// Decodes UTF-8. Windows line ends become line feeds.
  static func text(_ bytes: [UInt8], path: String) throws(DataError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .malformed(
        path: path, format: "text", location: .offset(invalidOffset(of: bytes)), reason: "it is not UTF-8",
        remedy: "convert it, for example with iconv -f latin1 -t utf-8")
    }
    return bytes.contains(0x0D) ? text.replacing("\r\n", with: "\n") : text
  }

  /// The offset of the first invalid UTF-8 sequence.
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
    name: "text", argument: "FILE", summary: "a text file in UTF-8; its last tenth is held out",
    content: .text { path throws(DataError) in try TextCorpus.text(of: path) })
}
