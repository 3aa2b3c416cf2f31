import ApusSystem

/// The error of an invalid header or pax record. `offset` is the place of the error in the parsed bytes.
struct TarError: Error {
  var offset: Int
  var reason: String
}

/// The header block before each file of an archive.
///
/// ```text
/// field and its number of bytes:
/// name 100, mode 8, owner 8, group 8, size 12, time 12, checksum 8, type 1, link 100, magic 8, …
/// prefix 155, at offset 345
/// ```
struct TarHeader {
  static let blockByteCount = 512

  enum Kind {
    case file
    /// A link, a device, a folder or a pipe, which has no data after its header.
    case withoutData
    /// GNU: the data are the name of the next file.
    case longName
    /// GNU: the data are the link target of the next file.
    case longLink
    /// Pax records for the next file.
    case attributes
    /// Pax records for all following files.
    case defaults
    case sparse
    case other
  }

  let kind: Kind
  let name: String
  let byteCount: Int

  private static let sizes = 124..<136
  private static let sums = 148..<156

  /// - Parameter block: 512 bytes
  init(_ block: [UInt8]) throws(TarError) {
    try TarHeader.checkSum(block)
    switch block[156] {
    case 0, UInt8(ascii: "0"), UInt8(ascii: "7"): kind = .file
    case UInt8(ascii: "1")...UInt8(ascii: "6"): kind = .withoutData
    case UInt8(ascii: "L"): kind = .longName
    case UInt8(ascii: "K"): kind = .longLink
    case UInt8(ascii: "x"): kind = .attributes
    case UInt8(ascii: "g"): kind = .defaults
    case UInt8(ascii: "S"): kind = .sparse
    default: kind = .other
    }
    let name = TarHeader.text(block[0..<100])
    // A GNU header stores other fields at the offset of the prefix, and its magic ends in spaces.
    let prefix = block[257..<263].elementsEqual("ustar\0".utf8) ? TarHeader.text(block[345..<500]) : ""
    self.name = prefix.isEmpty ? name : "\(prefix)/\(name)"
    guard let byteCount = TarHeader.number(block[TarHeader.sizes]) else {
      throw TarError(offset: TarHeader.sizes.lowerBound, reason: "the size of \(self.name.quoted()) is not a number")
    }
    self.byteCount = byteCount
  }

  /// Checks the checksum: the sum of all bytes of the header, where each byte of the checksum itself counts as a space.
  /// Old programs summed signed bytes.
  private static func checkSum(_ block: [UInt8]) throws(TarError) {
    var (sum, signedSum) = (0, 0)
    for (index, byte) in block.enumerated() {
      let byte = sums.contains(index) ? UInt8(ascii: " ") : byte
      sum += Int(byte)
      signedSum += Int(Int8(bitPattern: byte))
    }
    let stored = number(block[sums])
    guard stored == sum || stored == signedSum else {
      let found = stored.map(String.init) ?? "not a number"
      throw TarError(offset: 0, reason: "not a file header: its checksum is \(found), expected \(sum)")
    }
  }

  private static func text(_ field: ArraySlice<UInt8>) -> String {
    String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// Parses octal digits, delimited by spaces or zero bytes, or the form of GNU: the byte 0x80 and a big-endian binary
  /// number. Returns `nil` for other fields, and for numbers that do not fit `Int`.
  private static func number(_ field: ArraySlice<UInt8>) -> Int? {
    var result = 0
    func append(_ digit: UInt8, _ bits: Int) -> Bool {
      guard result <= Int.max >> bits else { return false }
      result = result << bits | Int(digit)
      return true
    }
    if field.first == 0x80 { return field.dropFirst().allSatisfy { append($0, 8) } ? result : nil }
    let digits = field.drop { $0 == UInt8(ascii: " ") }.prefix { $0 != 0 && $0 != UInt8(ascii: " ") }
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit), append(digit & 7, 3) else { return nil }
    }
    return result
  }
}

/// The attributes of a file from pax records or GNU long names.
struct TarAttributes: Equatable {
  var name: String?
  var byteCount: Int?

  init() {}

  /// Parses records `length key=value\n`; the length is the size of the whole record.
  init(parsing bytes: [UInt8]) throws(TarError) {
    var start = 0
    while start < bytes.count {
      let digits = bytes[start...].prefix { $0 != UInt8(ascii: " ") }
      guard let length = Int(String(decoding: digits.prefix(20), as: UTF8.self)), length > digits.count + 1,
        length <= bytes.count - start, bytes[start + length - 1] == UInt8(ascii: "\n")
      else { throw TarError(offset: start, reason: "expected a pax record LENGTH KEY=VALUE") }
      let record = bytes[digits.endIndex + 1..<start + length - 1]
      guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else {
        throw TarError(offset: start, reason: "a pax record without =")
      }
      let key = String(decoding: record[..<equals], as: UTF8.self)
      try set(key, String(decoding: record[(equals + 1)...], as: UTF8.self), start)
      start += length
    }
  }

  private mutating func set(_ key: String, _ value: String, _ offset: Int) throws(TarError) {
    switch key {
    case "path": name = value.isEmpty ? nil : value
    case "size":
      guard let number = Int(value), number >= 0 else {
        throw TarError(offset: offset, reason: "a pax record gives the invalid size \(value.quoted())")
      }
      byteCount = number
    case _ where key.hasPrefix("GNU.sparse."):
      throw TarError(offset: offset, reason: "a file is sparse, which is not supported")
    default: break
    }
  }

  /// Overwrites the attributes that are not `nil` in `other`.
  mutating func update(with other: TarAttributes) {
    name = other.name ?? name
    byteCount = other.byteCount ?? byteCount
  }
}
