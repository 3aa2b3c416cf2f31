import ApusSystem

/// A streaming reader of the files in a tar archive, plain or compressed by gzip. It supports ustar (POSIX.1-1988), pax
/// (POSIX.1-2001), and the long names and large sizes of GNU tar.
///
/// Nothing is written to the disk, and unread data are skipped. Folders, links and devices are skipped. The checksum of
/// every header is verified.
final class TarReader {
  /// A file of the archive.
  struct Entry: Hashable {
    var name: String
    var byteCount: Int
  }

  let path: String
  private let reader: ByteReader
  /// The number of unread bytes of the current file, without the padding of its last block.
  private var rest = 0
  /// The number of unread bytes of the current file, with the padding of its last block.
  private var blockRest = 0
  private var isDone = false
  /// The attributes from pax records for all following files (`TarHeader.Kind.defaults`).
  private var defaults = TarAttributes()

  /// The largest size, in bytes, of a long name or of a set of pax records.
  private static let attributeLimit = 1 << 20
  /// The largest number of padding bytes after the end of the archive.
  private static let fillLimit = 1 << 20
  /// The limit of the inflated size in bytes, more than ten times the size of any supported data set.
  private static let byteLimit = 1 << 31
  /// The limit of the number of headers, more than ten times the number in any supported data set.
  private static let headerLimit = 100_000
  private var headerCount = 0

  init(_ reader: ByteReader) {
    self.reader = reader
    path = reader.path
  }

  /// The next file; skips unread data of the previous file. `nil` at the end.
  func next() throws(DataError) -> Entry? {
    var own = TarAttributes()
    while !isDone {
      try passOver()
      let offset = reader.position
      guard let header = try header() else {
        guard own == TarAttributes() else {
          throw failure(offset, "the archive ends after a long name or attributes, without their file")
        }
        try finish()
        return nil
      }
      switch header.kind {
      case .file:
        let name = own.name ?? defaults.name ?? header.name
        try begin(own.byteCount ?? defaults.byteCount ?? header.byteCount, offset)
        // Before the folder type existed, a folder was a file with a name that ends in a slash.
        if !name.hasSuffix("/") { return Entry(name: name, byteCount: rest) }
        own = TarAttributes()
      case .longName: own.name = try longName(header, offset)
      case .attributes: try own.update(with: attributes(header, offset))
      case .defaults: try defaults.update(with: attributes(header, offset))
      case .longLink: try begin(header.byteCount, offset)
      case .withoutData: own = TarAttributes()
      case .other:
        try begin(own.byteCount ?? defaults.byteCount ?? header.byteCount, offset)
        own = TarAttributes()
      case .sparse:
        throw failure(offset, "\((own.name ?? header.name).quoted()) is a sparse file, which is not supported")
      }
    }
    return nil
  }

  /// The next `count` bytes of the current file, or all that remain if they are fewer.
  func read(_ count: Int) throws(DataError) -> [UInt8] {
    let wanted = min(count, rest)
    let bytes = try reader.read(wanted)
    rest -= bytes.count
    blockRest -= bytes.count
    guard bytes.count == wanted else { throw failure(reader.position, "the archive ends inside a file") }
    return bytes
  }

  private func begin(_ byteCount: Int, _ offset: Int) throws(DataError) {
    guard byteCount <= TarReader.byteLimit - min(offset, TarReader.byteLimit) else {
      throw failure(
        offset, "a file of \(byteCount) bytes makes the archive larger than the limit of \(TarReader.byteLimit)")
    }
    rest = byteCount
    blockRest = roundUp(byteCount, toMultipleOf: TarHeader.blockByteCount)
  }

  private func passOver() throws(DataError) {
    guard try reader.skip(blockRest) == blockRest else {
      throw failure(reader.position, "the archive ends inside a file")
    }
    (rest, blockRest) = (0, 0)
  }

  /// The next header; `nil` at the zeros that end the archive.
  private func header() throws(DataError) -> TarHeader? {
    let offset = reader.position
    headerCount += 1
    guard headerCount <= TarReader.headerLimit else {
      throw failure(offset, "more headers than the limit of \(TarReader.headerLimit)")
    }
    let block = try reader.read(TarHeader.blockByteCount)
    guard block.count == TarHeader.blockByteCount else {
      let detail = block.isEmpty ? "without the zeros that close it" : "inside a header"
      throw failure(reader.position, "the archive ends \(detail)")
    }
    if block.allSatisfy({ $0 == 0 }) { return nil }
    do throws(TarError) { return try TarHeader(block) } catch { throw failure(offset + error.offset, error.reason) }
  }

  private func longName(_ header: TarHeader, _ offset: Int) throws(DataError) -> String {
    String(decoding: try data(header, offset).prefix { $0 != 0 }, as: UTF8.self)
  }

  private func attributes(_ header: TarHeader, _ offset: Int) throws(DataError) -> TarAttributes {
    let bytes = try data(header, offset)
    do throws(TarError) { return try TarAttributes(parsing: bytes) } catch {
      throw failure(offset + TarHeader.blockByteCount + error.offset, error.reason)
    }
  }

  /// The data that follow a header of kind `longName`, `attributes` or `defaults`.
  private func data(_ header: TarHeader, _ offset: Int) throws(DataError) -> [UInt8] {
    guard header.byteCount <= TarReader.attributeLimit else {
      throw failure(
        offset,
        "a name or attributes of \(header.byteCount) bytes, more than the limit of \(TarReader.attributeLimit)")
    }
    try begin(header.byteCount, offset)
    return try read(header.byteCount)
  }

  /// Reads the padding after the archive, so that a compressed archive is checked to its end.
  private func finish() throws(DataError) {
    isDone = true
    let offset = reader.position
    let fill = try reader.read(TarReader.fillLimit)
    if let index = fill.firstIndex(where: { $0 != 0 }) {
      throw failure(offset + index, "other data follow the zeros that close the archive")
    }
    guard try reader.read(1).isEmpty else { throw failure(offset, "more than \(fill.count) zeros close the archive") }
  }

  private func failure(_ offset: Int, _ reason: String) -> DataError {
    .malformed(
      path: path, format: "tar", location: .offset(offset), reason: reason, remedy: "copy or download the file again")
  }
}
