import ApusSystem

/// Reads bytes in order from a file or from memory, plain or compressed by gzip (RFC 1952). The first two bytes tell
/// whether the source is compressed.
///
/// A file is read in chunks, and a compressed stream is inflated only as far as requested. So the caller, not the file,
/// bounds the memory: 1 byte of compressed data can expand to a thousand bytes.
final class ByteReader {
  let path: String
  private let stored: StoredBytes
  private let inflater: Inflater?
  /// The number of bytes that have been read or skipped.
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

  /// The number of remaining bytes of an uncompressed source; `nil` for a compressed source.
  func plainByteCount() throws(DataError) -> Int? { inflater == nil ? try stored.remaining() : nil }

  /// The next `count` bytes, or all that remain if they are fewer.
  func read(_ count: Int) throws(DataError) -> [UInt8] {
    let result = if let inflater { try inflater.read(count) } else { try stored.read(count) }
    position += result.count
    return result
  }

  /// Skips the next `count` bytes, or all that remain if they are fewer, and returns the number of skipped bytes.
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

/// Reads the bytes of a file or of an array as they are stored, without inflating them. Only one chunk of a file is in
/// memory.
final class StoredBytes {
  private static let chunkByteCount = 1 << 18
  private let file: FileDescriptor?
  private var chunk: [UInt8]
  /// The index in `chunk` of the first byte that has not been consumed.
  private var start = 0
  /// The number of bytes that have been consumed.
  private(set) var offset = 0

  init(_ bytes: [UInt8]) {
    file = nil
    chunk = bytes
  }

  init(path: String) throws(DataError) {
    file = try reportingFiles { () throws(FileError) in try FileDescriptor(reading: path) }
    chunk = []
  }

  /// Reads until `count` bytes are buffered or the source ends. Returns the number of buffered bytes, which may be more
  /// than `count`.
  @discardableResult
  func prepare(_ count: Int) throws(DataError) -> Int {
    let held = chunk.count - start
    guard held < count, let file else { return held }
    let next = offset + held
    let more = try reportingFiles { () throws(FileError) in
      try file.bytes(at: next, count: max(count, StoredBytes.chunkByteCount))
    }
    chunk = held == 0 ? more : chunk[start...] + more
    start = 0
    if let report = ReadingProgress.report {
      let size = try reportingFiles { () throws(FileError) in try file.byteCount() }
      report(file.path, Double(next + more.count) / Double(max(size, 1)))
    }
    return chunk.count
  }

  /// Whether the next bytes equal `prefix`.
  func starts(with prefix: [UInt8]) throws(DataError) -> Bool {
    try prepare(prefix.count)
    return chunk[start...].starts(with: prefix)
  }

  /// Passes the buffered bytes to `body`, which returns the number of bytes it consumed.
  func take(_ body: (UnsafeBufferPointer<UInt8>) -> Int) {
    let taken = chunk.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[start...])) }
    start += taken
    offset += taken
  }

  /// The next `count` bytes, or all that remain if they are fewer.
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

  /// Skips the next `count` bytes, or all that remain if they are fewer, and returns the number of skipped bytes.
  func skip(_ count: Int) throws(DataError) -> Int {
    let skipped = min(count, try remaining())
    start = min(chunk.count, start + skipped)
    offset += skipped
    return skipped
  }

  /// The number of bytes that have not been consumed.
  func remaining() throws(DataError) -> Int {
    guard let file else { return chunk.count - start }
    let size = try reportingFiles { () throws(FileError) in try file.byteCount() }
    return max(size - offset, chunk.count - start)
  }
}
