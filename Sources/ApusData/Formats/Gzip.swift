import CZlib

/// Inflates a gzip stream of one or more members. zlib verifies the checksum and the size of each member.
final class Inflater {
  /// The first bytes of a member.
  static let magic: [UInt8] = [0x1f, 0x8b]

  private let input: StoredBytes
  private let path: String
  private var isDone = false
  // zlib keeps the address of this state, so the state must not move.
  private let stream: UnsafeMutablePointer<z_stream>

  init(_ input: StoredBytes, path: String) throws(DataError) {
    self.input = input
    self.path = path
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // 15 selects a window of 2¹⁵ bytes; adding 16 selects the gzip format. Swift cannot import `inflateInit2`, a macro.
    let code = inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard code == Z_OK else { throw failure("zlib could not start (code \(code))") }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// The next `count` decompressed bytes, or all that remain in the stream if they are fewer.
  func read(_ count: Int) throws(DataError) -> [UInt8] {
    // `count` may come from the header of a damaged file, so the allocation grows with the actual output instead.
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
      try input.prepare(1)
      let room = min(buffer.count - written, 1 << 30)
      var code = Z_OK
      input.take { source in
        let given = min(source.count, 1 << 30)
        // zlib does not write through next_in; its type merely lacks the const.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
        stream.pointee.avail_in = UInt32(given)
        stream.pointee.next_out = buffer.baseAddress! + written
        stream.pointee.avail_out = UInt32(room)
        code = CZlib.inflate(stream, Z_NO_FLUSH)
        return given - Int(stream.pointee.avail_in)
      }
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

  /// Starts the next member, or ends the stream when there is none.
  private func startNextMember() throws(DataError) {
    guard try input.prepare(1) > 0 else {
      isDone = true
      return
    }
    guard try input.starts(with: Inflater.magic) else {
      throw failure("\(try input.remaining()) bytes of other data follow the compressed data")
    }
    guard inflateReset(stream) == Z_OK else { throw failure("zlib could not continue") }
  }

  private func failure(_ reason: String) -> DataError {
    .malformed(
      path: path, format: "gzip", location: .offset(input.offset), reason: reason,
      remedy: "copy or download the file again")
  }
}
