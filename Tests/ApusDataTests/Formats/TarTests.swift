import ApusSystem
import ApusTestSupport
import Testing

@testable import ApusData

/// A tar entry: the header and the contents, padded to whole blocks.
func tarEntry(
  _ name: String, _ bytes: [UInt8] = [], type: Character = "0", size: [UInt8]? = nil, prefix: String = "",
  magic: String = "ustar\u{0}00"
) -> [UInt8] {
  var header = [UInt8](repeating: 0, count: 512)
  func put(_ field: some Collection<UInt8>, at place: Int) {
    for (index, byte) in field.enumerated() { header[place + index] = byte }
  }
  func octal(_ value: Int, _ digits: Int) -> [UInt8] {
    let text = String(value, radix: 8)
    return Array((String(repeating: "0", count: digits - text.count) + text + "\0").utf8)
  }
  put(name.utf8, at: 0)
  put("0000644\0".utf8, at: 100)
  put(size ?? octal(bytes.count, 11), at: 124)
  put("        ".utf8, at: 148)
  put([type.asciiValue ?? 0], at: 156)
  put(magic.utf8, at: 257)
  put(prefix.utf8, at: 345)
  put(octal(header.reduce(0) { $0 + Int($1) }, 6) + [32], at: 148)
  return header + bytes + [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
}

let tarEnd = [UInt8](repeating: 0, count: 1024)

/// A pax record. Its length includes the digits of the length.
private func paxRecord(_ key: String, _ value: String) -> [UInt8] {
  let rest = " \(key)=\(value)\n".utf8.count
  let length = (1...).first { String($0).utf8.count + rest == $0 }!
  return Array("\(length) \(key)=\(value)\n".utf8)
}

struct TarTests {
  private let one: [UInt8] = Array("one file".utf8)
  private let two = [UInt8](repeating: 7, count: 1500)

  /// All files of an archive.
  private func files(_ bytes: [UInt8]) throws(DataError) -> [String: [UInt8]] {
    let tar = TarReader(try ByteReader(bytes, path: "a.tar"))
    var result: [String: [UInt8]] = [:]
    while let entry = try tar.next() { result[entry.name] = try tar.read(entry.byteCount) }
    return result
  }

  private func failure(_ bytes: [UInt8]) -> String {
    #expect(throws: DataError.self) { try files(bytes) }?.description ?? ""
  }

  @Test func readsPlainAndCompressed() throws {
    let archive =
      tarEntry("d/", type: "5") + tarEntry("d/one", one) + tarEntry("link", type: "2") + tarEntry("d/two", two)
      + tarEntry("empty") + tarEntry("old/", type: "\0") + tarEnd
    let expected = ["d/one": one, "d/two": two, "empty": []]
    #expect(try files(archive) == expected)
    #expect(try files(gzipped(archive)) == expected)
    let scratch = try ScratchDirectory()
    for bytes in [archive, gzipped(archive)] {
      let tar = TarReader(try ByteReader(path: scratch.write(bytes, to: "a.tar")))
      var names: [String] = []
      // Contents that are not read are skipped.
      while let entry = try tar.next() { names.append(entry.name) }
      #expect(names == ["d/one", "d/two", "empty"])
      #expect(try tar.next() == nil)
    }
  }

  @Test func longNamesOfAllKinds() throws {
    let long = String(repeating: "directory/", count: 30) + "file"
    let archives = [
      tarEntry("file", one, prefix: "a/b") + tarEnd,
      tarEntry("././@LongLink", Array(long.utf8) + [0], type: "L", magic: "ustar  \0") + tarEntry("short", one)
        + tarEnd,
      tarEntry("pax", paxRecord("mtime", "1.5") + paxRecord("path", long), type: "x") + tarEntry("short", one)
        + tarEntry("next", two) + tarEnd,
      tarEntry("g", paxRecord("path", "all"), type: "g") + tarEntry("short", one) + tarEnd,
    ]
    #expect(try archives.map { try files($0).keys.sorted() } == [["a/b/file"], [long], [long, "next"], ["all"]])
  }

  @Test func sizesBeyondOctalAndOfPax() throws {
    let binary: [UInt8] = [0x80] + [UInt8](repeating: 0, count: 10) + [8]
    #expect(try files(tarEntry("one", one, size: binary) + tarEnd) == ["one": one])
    let zero = Array("00000000000\0".utf8)
    let pax = tarEntry("pax", paxRecord("size", "8"), type: "x") + tarEntry("one", one, size: zero) + tarEnd
    #expect(try files(pax) == ["one": one])
  }

  @Test func everyTruncationIsRefused() {
    let archive = tarEntry("one", one) + tarEntry("two", two)
    for count in stride(from: 0, through: archive.count, by: 100) {
      #expect(throws: DataError.self, "\(count) bytes") { try files(Array(archive[..<count])) }
    }
    #expect(failure(archive).contains("at byte \(archive.count): the archive ends without the zeros"))
    #expect(failure(Array(archive[..<1500])).contains("at byte 1500: the archive ends inside a header"))
    #expect(failure(Array(archive[..<3000])).contains("at byte 3000: the archive ends inside a file"))
    let compressed = gzipped(archive + tarEnd)
    for count in 0..<compressed.count {
      #expect(throws: DataError.self, "\(count) compressed bytes") { try files(Array(compressed[..<count])) }
    }
  }

  @Test func damagedHeadersAreRefused() {
    var archive = tarEntry("one", one) + tarEntry("two", two) + tarEnd
    archive[1030] ^= 1
    #expect(failure(archive).contains("a.tar: not a valid tar file at byte 1024: not a file header"))
    #expect(failure([UInt8](repeating: 65, count: 1024)).contains("its checksum is not a number"))
    #expect(failure([]).contains("without the zeros"))
    let huge = [UInt8](repeating: 0xff, count: 12)
    #expect(failure(tarEntry("one", size: huge) + tarEnd).contains("at byte 124: the size of \"one\" is not a number"))
    let large: [UInt8] = [0x80, 0, 0, 0, 0x7f] + [UInt8](repeating: 0xff, count: 7)
    #expect(failure(tarEntry("one", size: large) + tarEnd).contains("a file of"))
    #expect(failure(tarEntry("one", size: Array("00777777777\0".utf8)) + tarEnd).contains("ends inside a file"))
    #expect(failure(tarEntry("one", type: "S") + tarEnd).contains("is a sparse file"))
    #expect(failure(tarEnd + [1]).contains("at byte 1024: other data follow"))
  }

  @Test func wrongAttributesAreRefused() {
    for text in [
      "x", "9999 path=a\n", "12 path=abcd", "7 path\n\n", "10 size=-1\n", "0 a=b\n", "99999999999999999999 a=b\n",
    ] {
      let archive = tarEntry("pax", Array(text.utf8), type: "x") + tarEntry("one", one) + tarEnd
      #expect(failure(archive).contains("pax record"), "\(text)")
    }
    let size = Array("00100000000\0".utf8)
    #expect(failure(tarEntry("pax", type: "L", size: size)).contains("more than the limit"))
    #expect(failure(tarEntry("n", one, type: "L") + tarEnd).contains("without their file"))
  }

  @Test func noInputTraps() {
    let archive = tarEntry("pax", paxRecord("path", "a"), type: "x") + tarEntry("one", one) + tarEnd
    var accepted = 0
    for bytes in Mutations(of: [archive, gzipped(archive)], count: 10_000) {
      if (try? files(bytes)) != nil { accepted += 1 }
    }
    #expect(accepted > 10 && accepted < 9000, "\(accepted)")
  }
}

struct ByteReaderTests {
  /// Reads files of several chunks, so that gzip members and reads cross chunk boundaries.
  @Test func filesAreReadInPieces() throws {
    let scratch = try ScratchDirectory()
    var random = SystemRandomNumberGenerator()
    let bytes = (0..<700_001).map { _ in UInt8.random(in: 0...255, using: &random) }
    let cut = gzipped(Array(bytes[..<262_100]))
    let stored = gzipped(Array(bytes[..<262_100])) + gzipped(Array(bytes[262_100...]))
    // `cut` is the first member of `stored`. It ends near the end of the reader's first chunk, which has 2¹⁸ bytes.
    #expect(abs(cut.count - (1 << 18)) < 256)
    for path in [try scratch.write(bytes, to: "plain"), try scratch.write(stored, to: "members.gz")] {
      let reader = try ByteReader(path: path)
      var found = try reader.read(5)
      #expect(try reader.skip(262_144) == 262_144 && reader.position == 262_149)
      found += bytes[5..<262_149]
      while true {
        let next = try reader.read(100_003)
        if next.isEmpty { break }
        found += next
      }
      #expect(found == bytes && reader.position == bytes.count)
      #expect(try reader.skip(10) == 0)
    }
  }

  @Test func membersMayStartAtAnyOffset() throws {
    let scratch = try ScratchDirectory()
    let random = CounterRandom(seed: 1, stream: 1)
    let bytes = (0..<262_144).map { UInt8(truncatingIfNeeded: random[$0]) }
    let second = gzipped(Array("second".utf8))
    // The reader's first chunk has 2¹⁸ bytes. Depending on the length of the first member, the chunk ends before,
    // inside or after the two magic bytes of the second member.
    var ends: Set<Int> = []
    for length in 261_990..<262_144 {
      let first = gzipped(Array(bytes[..<length]))
      guard (262_141...262_146).contains(first.count) else { continue }
      ends.insert(first.count)
      let reader = try ByteReader(path: scratch.write(first + second, to: "a.gz"))
      #expect(try reader.read(300_000) == bytes[..<length] + Array("second".utf8))
    }
    #expect(ends.contains(262_143) && ends.contains(262_144))
    let rest = try ByteReader(path: scratch.write(second + [1, 2, 3], to: "b.gz"))
    let error = #expect(throws: DataError.self) { try rest.read(10) }
    #expect(error?.description.contains("3 bytes of other data") == true)
  }
}
