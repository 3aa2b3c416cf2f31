import ApusTestSupport
import CZlib
import Testing

@testable import ApusData

/// One gzip member that contains `bytes`.
func gzipped(_ bytes: [UInt8]) -> [UInt8] {
  var stream = z_stream()
  deflateInit2_(
    &stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
  defer { deflateEnd(&stream) }
  var input = bytes
  var output = [UInt8](repeating: 0, count: bytes.count + bytes.count / 100 + 100)
  input.withUnsafeMutableBufferPointer { source in
    output.withUnsafeMutableBufferPointer { target in
      stream.next_in = source.baseAddress
      stream.avail_in = UInt32(source.count)
      stream.next_out = target.baseAddress
      stream.avail_out = UInt32(target.count)
      deflate(&stream, Z_FINISH)
    }
  }
  return Array(output[..<Int(stream.total_out)])
}

struct IDXTests {
  private let good: [UInt8] = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6]

  @Test func readsPlainAndCompressed() throws {
    let expected = IDXArray(type: .uint8, extents: [2, 3], bytes: [1, 2, 3, 4, 5, 6])
    #expect(try IDXArray(parsing: good) == expected)
    #expect(try IDXArray(parsing: gzipped(good)) == expected)
    #expect(try IDXArray(parsing: gzipped(Array(good[..<7])) + gzipped(Array(good[7...]))) == expected)
    let scratch = try ScratchDirectory()
    #expect(try IDXArray(path: scratch.write(good, to: "a")) == expected)
    #expect(try IDXArray(path: scratch.write(gzipped(good), to: "a.gz")) == expected)
  }

  @Test func elementsHaveTheByteOrderOfTheMachine() throws {
    let bytes: [UInt8] = [0, 0, 0x0c, 1, 0, 0, 0, 2, 0, 0, 1, 2, 0xff, 0xff, 0xff, 0xfe]
    let array = try IDXArray(parsing: bytes)
    #expect(array.bytes.withUnsafeBytes { Array($0.bindMemory(to: Int32.self)) } == [258, -2])
  }

  @Test func everyTruncationIsRefused() {
    for count in 0..<good.count {
      #expect(throws: DataError.self, "\(count) bytes") { try IDXArray(parsing: Array(good[..<count])) }
    }
    let compressed = gzipped(good)
    for count in 0..<compressed.count {
      #expect(throws: DataError.self, "\(count) compressed bytes") {
        try IDXArray(parsing: Array(compressed[..<count]))
      }
    }
  }

  @Test func trailingBytesAreRefused() {
    #expect(throws: DataError.self) { try IDXArray(parsing: good + [0]) }
    #expect(throws: DataError.self) { try IDXArray(parsing: gzipped(good + [0])) }
    #expect(throws: DataError.self) { try IDXArray(parsing: gzipped(good) + [1, 2, 3]) }
  }

  @Test(
    arguments: [
      [0, 1, 8, 1, 0, 0, 0, 0], [1, 0, 8, 1, 0, 0, 0, 0], [0, 0, 7, 1, 0, 0, 0, 0], [0, 0, 8, 0],
      [0, 0, 8, 9] + [UInt8](repeating: 0, count: 36),
      [0, 0, 14, 3] + [UInt8](repeating: 0xff, count: 12),
      [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
    ] as [[UInt8]])
  func wrongHeadersAreRefused(bytes: [UInt8]) {
    #expect(throws: DataError.self) { try IDXArray(parsing: bytes) }
  }

  @Test func aBombInflatesOnlyWhatItsHeaderDeclares() throws {
    var header = good
    header[7] = 1
    header[11] = 1
    let bomb = gzipped(header[..<12] + [UInt8](repeating: 0, count: 64 << 20))
    #expect(bomb.count < 100_000)
    let reader = try ByteReader(bomb, path: "bomb")
    #expect(try reader.read(20).count == 20)
    let error = #expect(throws: DataError.self) { try IDXArray(parsing: bomb, path: "bomb") }
    let text = try #require(error).description
    #expect(text.contains("at byte 13: the header declares 1 bytes") && text.contains("but there are more"), "\(text)")
  }

  @Test func hugeExtentsReserveNoMemory() {
    // The header declares 2⁶¹ bytes, but no bytes follow: allocating memory for them first would crash the process.
    let bytes: [UInt8] = [0, 0, 8, 2, 0xff, 0xff, 0xff, 0xff, 0x1f, 0xff, 0xff, 0xff]
    #expect(throws: DataError.self) { try IDXArray(parsing: bytes) }
    #expect(throws: DataError.self) { try IDXArray(parsing: gzipped(bytes)) }
  }

  @Test func aDamagedChecksumIsRefused() {
    var bytes = gzipped(good)
    bytes[bytes.count - 8] ^= 1
    #expect(throws: DataError.self) { try IDXArray(parsing: bytes) }
  }

  /// Files with random changes are parsed or refused, and none crashes the process.
  @Test func noInputTraps() {
    let large: [UInt8] = [0, 0, 0x0d, 1, 0, 0, 1, 0] + [UInt8](repeating: 3, count: 1024)
    var accepted = 0
    for bytes in Mutations(of: [good, gzipped(good), large, gzipped(large)], count: 20_000) {
      if (try? IDXArray(parsing: bytes)) != nil { accepted += 1 }
    }
    #expect(accepted > 10 && accepted < 15_000)
  }
}
