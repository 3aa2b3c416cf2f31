import ApusFiles
import CZlib

/// Bytes that are read in order from a plain or a gzip file (RFC 1952), told apart by their first two.
///
/// A compressed stream is inflated only as far as is asked for, so what comes out is bounded by the
/// caller and not by the file: 1 byte of deflate can stand for a thousand.
final class ByteReader {
  let path: String
  private let bytes: [UInt8]
  private var inflater: Inflater?
  /// How many bytes have been read.
  private(set) var position = 0

  /// - Parameter path: the name of the source in errors.
  init(_ bytes: [UInt8], path: String) throws(DataError) {
    self.bytes = bytes
    self.path = path
    if bytes.starts(with: [0x1f, 0x8b]) { inflater = try Inflater(bytes, path: path) }
  }

  convenience init(path: String) throws(DataError) {
    let bytes = try reportingFiles { () throws(FileError) in try FileDescriptor.contents(of: path) }
    try self.init(bytes, path: path)
  }

  /// The next `count` bytes; fewer only where the source ends.
  func read(_ count: Int) throws(DataError) -> [UInt8] {
    let result: [UInt8]
    if let inflater {
      result = try inflater.read(count)
    } else {
      result = Array(bytes.dropFirst(position).prefix(count))
    }
    position += result.count
    return result
  }
}

/// A gzip stream of one or more members, each with its checksum and size verified by zlib.
private final class Inflater {
  private let input: [UInt8]
  private let path: String
  private var consumed = 0
  private var isDone = false
  // zlib keeps the address of its state, so it must not move.
  private let stream: UnsafeMutablePointer<z_stream>

  init(_ input: [UInt8], path: String) throws(DataError) {
    self.input = input
    self.path = path
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // 15 bits of window, plus 16 for a gzip header; `inflateInit2` itself is a macro Swift cannot see.
    let code = inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard code == Z_OK else { throw failure("zlib could not start (code \(code))") }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  func read(_ count: Int) throws(DataError) -> [UInt8] {
    // The memory asked for grows with what really comes out, not with what a header promises.
    var result: [UInt8] = []
    while result.count < count, !isDone {
      let chunk = min(count - result.count, max(1 << 16, result.count))
      try append(chunk, to: &result)
    }
    return result
  }

  private func append(_ count: Int, to result: inout [UInt8]) throws(DataError) {
    var failed: DataError?
    let chunk = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      do throws(DataError) { initialized = try inflate(into: buffer) } catch { failed = error }
    }
    if let failed { throw failed }
    result += chunk
  }

  private func inflate(into buffer: UnsafeMutableBufferPointer<UInt8>) throws(DataError) -> Int {
    var written = 0
    while written < buffer.count, !isDone {
      let (given, room) = (min(input.count - consumed, 1 << 30), min(buffer.count - written, 1 << 30))
      let code = input.withUnsafeBufferPointer { source in
        // zlib does not write through next_in, its type only lacks the const.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress! + consumed)
        stream.pointee.avail_in = UInt32(given)
        stream.pointee.next_out = buffer.baseAddress! + written
        stream.pointee.avail_out = UInt32(room)
        return CZlib.inflate(stream, Z_NO_FLUSH)
      }
      consumed += given - Int(stream.pointee.avail_in)
      written += room - Int(stream.pointee.avail_out)
      switch code {
      case Z_OK: continue
      case Z_STREAM_END: try startNextMember()
      case Z_BUF_ERROR: throw failure("the compressed data end early")
      case Z_MEM_ERROR: throw failure("not enough memory to inflate")
      default:
        let message = stream.pointee.msg.map { String(cString: $0) } ?? "code \(code)"
        throw failure("the compressed data are damaged (\(message))")
      }
    }
    return written
  }

  /// Goes on behind the end of a member: with another one, or not at all.
  private func startNextMember() throws(DataError) {
    guard consumed < input.count else {
      isDone = true
      return
    }
    guard input[consumed...].starts(with: [0x1f, 0x8b]) else {
      throw failure("\(input.count - consumed) bytes of something else follow the compressed data")
    }
    guard inflateReset(stream) == Z_OK else { throw failure("zlib could not go on") }
  }

  private func failure(_ reason: String) -> DataError {
    .malformed(
      path: path, format: "gzip", place: .offset(consumed), reason: reason,
      remedy: "copy or download the file again")
  }
}
