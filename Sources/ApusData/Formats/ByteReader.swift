import ApusFiles

/// Bytes that are read in order from a plain or a gzip file (RFC 1952), told apart by their first two.
///
/// A file is read a piece at a time, and a compressed stream is inflated only as far as is asked for. What is held
/// is bounded by the caller and not by the file: 1 byte of deflate can stand for a thousand.
final class ByteReader {
  let path: String
  private let stored: StoredBytes
  private let inflater: Inflater?
  /// How many bytes have been read.
  private(set) var position = 0

  private init(stored: StoredBytes, path: String) throws(DataError) {
    self.stored = stored
    self.path = path
    inflater = try stored.starts(with: Inflater.magic) ? Inflater(stored, path: path) : nil
  }

  /// - Parameter path: the name of the source in errors.
  convenience init(_ bytes: [UInt8], path: String) throws(DataError) {
    try self.init(stored: StoredBytes(bytes), path: path)
  }

  /// Opens a file.
  convenience init(path: String) throws(DataError) {
    try self.init(stored: StoredBytes(path: path), path: path)
  }

  /// How many bytes are left of a source that is not compressed; `nil` for one that is.
  func plainByteCount() throws(DataError) -> Int? { inflater == nil ? try stored.remaining() : nil }

  /// The next `count` bytes; fewer only where the source ends.
  func read(_ count: Int) throws(DataError) -> [UInt8] {
    let result = if let inflater { try inflater.read(count) } else { try stored.read(count) }
    position += result.count
    return result
  }

  /// Leaves out the next `count` bytes, and says how many there were: fewer only where the source ends.
  func skip(_ count: Int) throws(DataError) -> Int {
    guard inflater != nil else {
      let skipped = try stored.skip(count)
      position += skipped
      return skipped
    }
    var rest = count
    while rest > 0 {
      let bytes = try read(min(rest, 1 << 16))
      if bytes.isEmpty { break }
      rest -= bytes.count
    }
    return count - rest
  }
}

/// Bytes as they are stored, in memory or in a file, taken from the front. Of a file one piece is held.
final class StoredBytes {
  private static let pieceByteCount = 1 << 18
  private let file: FileDescriptor?
  private var piece: [UInt8]
  /// The first byte of the piece that has not been taken.
  private var start = 0
  /// How many bytes have been taken.
  private(set) var offset = 0

  init(_ bytes: [UInt8]) {
    file = nil
    piece = bytes
  }

  init(path: String) throws(DataError) {
    file = try reportingFiles { () throws(FileError) in try FileDescriptor(reading: path) }
    piece = []
  }

  /// Reads on until `count` bytes lie ready, and says how many do: fewer only where the source ends.
  @discardableResult
  func prepare(_ count: Int) throws(DataError) -> Int {
    let held = piece.count - start
    guard held < count, let file else { return held }
    let next = offset + held
    let more = try reportingFiles { () throws(FileError) in
      try file.bytes(at: next, count: max(count, StoredBytes.pieceByteCount))
    }
    piece = held == 0 ? more : piece[start...] + more
    start = 0
    if let report = ReadingProgress.report {
      let size = try reportingFiles { () throws(FileError) in try file.byteCount() }
      report(file.path, Double(next + more.count) / Double(max(size, 1)))
    }
    return piece.count
  }

  /// Whether the bytes that come next are these.
  func starts(with prefix: [UInt8]) throws(DataError) -> Bool {
    try prepare(prefix.count)
    return piece[start...].starts(with: prefix)
  }

  /// Gives `body` what lies ready; it says how many bytes it took.
  func take(_ body: (UnsafeBufferPointer<UInt8>) -> Int) {
    let taken = piece.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[start...])) }
    start += taken
    offset += taken
  }

  /// The next `count` bytes; fewer only where the source ends.
  func read(_ count: Int) throws(DataError) -> [UInt8] {
    var result: [UInt8] = []
    while result.count < count, try prepare(1) > 0 {
      take { source in
        let taken = source.prefix(count - result.count)
        result += taken
        return taken.count
      }
    }
    return result
  }

  /// Leaves out the next `count` bytes, and says how many there were.
  func skip(_ count: Int) throws(DataError) -> Int {
    let skipped = min(count, try remaining())
    start = min(piece.count, start + skipped)
    offset += skipped
    return skipped
  }

  /// How many bytes have not been taken.
  func remaining() throws(DataError) -> Int {
    guard let file else { return piece.count - start }
    let size = try reportingFiles { () throws(FileError) in try file.byteCount() }
    return max(size - offset, piece.count - start)
  }
}
