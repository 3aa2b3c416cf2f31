import ApusSystem

/// The error of a text that is not JSON.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The offset in bytes, from 0, at which the text is invalid.
  public var offset: Int
  /// What is invalid at this offset.
  public var reason: String

  public var description: String { "byte \(offset): \(reason)" }
}

extension JSON {
  /// The default limit of the nesting depth of arrays and objects.
  public static let defaultDepth = 32
  /// The largest number of values in a text. The number is limited because a value takes much more memory than its
  /// characters.
  public static let maximumValueCount = 1 << 21

  /// Reads one JSON value.
  ///
  /// The text must be valid UTF-8. Duplicate keys (canonically equivalent Unicode spellings are duplicates), trailing
  /// commas, bytes after the value, lone surrogates, and numbers outside the range of `Int` or `Double` are errors.
  /// Arrays and objects may be nested at most `maximumDepth` levels deep, and a text may have at most
  /// `maximumValueCount` values.
  public init(parsing bytes: [UInt8], maximumDepth: Int = JSON.defaultDepth) throws(JSONError) {
    var parser = JSONParser(bytes: bytes, maximumDepth: maximumDepth)
    self = try parser.document()
  }

  /// Reads a file that contains one JSON value.
  /// - Parameter limit: the largest size in bytes that is accepted.
  public init(path: String, limit: Int = 16 << 20) throws(DataError) {
    let bytes = try reportingFiles { () throws(FileError) in
      try FileDescriptor.contents(of: path, limit: limit)
    }
    do throws(JSONError) {
      self = try JSON(parsing: bytes)
    } catch {
      throw .malformed(
        path: path, format: "JSON", location: .offset(error.offset), reason: error.reason,
        remedy: "correct or rewrite the file")
    }
  }
}

private struct JSONParser {
  let bytes: [UInt8]
  let maximumDepth: Int
  var position = 0
  var depth = 0
  var valueCount = 0

  init(bytes: [UInt8], maximumDepth: Int) {
    self.bytes = bytes
    self.maximumDepth = maximumDepth
  }

  var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  func failure(_ reason: String) -> JSONError { JSONError(offset: position, reason: reason) }

  mutating func document() throws(JSONError) -> JSON {
    let value = try value()
    guard next == nil else { throw failure("more text after the value") }
    return value
  }

  /// Parses a value and the white space around it.
  mutating func value() throws(JSONError) -> JSON {
    skipSpace()
    defer { skipSpace() }
    valueCount += 1
    guard valueCount <= JSON.maximumValueCount else {
      throw failure("more than the limit of \(JSON.maximumValueCount) values")
    }
    switch next {
    case UInt8(ascii: "{"): return .object(try object())
    case UInt8(ascii: "["): return .array(try array())
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case let byte? where byte == UInt8(ascii: "-") || isDigit(byte): return try number()
    case nil: throw failure("the text ends where a value is expected")
    default: throw failure("no value starts with this character")
    }
  }

  mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
  }

  mutating func word(_ text: StaticString, _ value: JSON) throws(JSONError) -> JSON {
    for index in 0..<text.utf8CodeUnitCount {
      guard next == text.utf8Start[index] else { throw failure("expected \(text)") }
      position += 1
    }
    return value
  }

  mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    position += 1
    return true
  }

  mutating func descend() throws(JSONError) {
    depth += 1
    guard depth <= maximumDepth else { throw failure("nested deeper than \(maximumDepth) levels") }
    position += 1
    skipSpace()
  }

  mutating func object() throws(JSONError) -> JSONObject {
    try descend()
    var result = JSONObject()
    if !take(UInt8(ascii: "}")) {
      repeat {
        skipSpace()
        let start = position
        guard next == UInt8(ascii: "\"") else { throw failure("expected a key in double quotes") }
        let key = try string()
        guard result[key] == nil else { throw JSONError(offset: start, reason: "duplicate key \(key.quoted())") }
        skipSpace()
        guard take(UInt8(ascii: ":")) else { throw failure("expected a colon after the key \(key.quoted())") }
        result[key] = try value()
      } while take(UInt8(ascii: ","))
      guard take(UInt8(ascii: "}")) else { throw failure("expected a comma or the end of the object") }
    }
    depth -= 1
    return result
  }

  mutating func array() throws(JSONError) -> [JSON] {
    try descend()
    var result: [JSON] = []
    if !take(UInt8(ascii: "]")) {
      repeat { result.append(try value()) } while take(UInt8(ascii: ","))
      guard take(UInt8(ascii: "]")) else { throw failure("expected a comma or the end of the array") }
    }
    depth -= 1
    return result
  }
}

// MARK: - Strings

extension JSONParser {
  mutating func string() throws(JSONError) -> String {
    position += 1
    let start = position
    var text: [UInt8] = []
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        guard let string = String(validating: text, as: UTF8.self) else {
          throw JSONError(offset: start, reason: "the string is not valid UTF-8")
        }
        return string
      case UInt8(ascii: "\\"):
        position += 1
        text += try escape()
      case 0..<0x20:
        throw failure("a control character inside a string must be escaped")
      default:
        text.append(byte)
        position += 1
      }
    }
    throw failure("the text ends inside a string")
  }

  private mutating func escape() throws(JSONError) -> [UInt8] {
    guard let byte = next else { throw failure("the text ends inside a string") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0c]
    case UInt8(ascii: "n"): return [0x0a]
    case UInt8(ascii: "r"): return [0x0d]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"): return Array(String(try escapedScalar()).utf8)
    default: throw JSONError(offset: position - 1, reason: "unknown escape in a string")
    }
  }

  private mutating func escapedScalar() throws(JSONError) -> Unicode.Scalar {
    let start = position
    let unit = try codeUnit()
    if let scalar = Unicode.Scalar(UInt32(unit)) { return scalar }
    if UTF16.isLeadSurrogate(unit), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
      let trail = try codeUnit()
      if UTF16.isTrailSurrogate(trail) {
        let value = 0x10000 + ((UInt32(unit) & 0x3ff) << 10 | UInt32(trail) & 0x3ff)
        if let scalar = Unicode.Scalar(value) { return scalar }
      }
    }
    throw JSONError(offset: start, reason: "an unpaired surrogate")
  }

  private mutating func codeUnit() throws(JSONError) -> UInt16 {
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
        throw failure("expected four hexadecimal digits")
      }
      unit = unit << 4 | UInt16(digit)
      position += 1
    }
    return unit
  }
}

// MARK: - Numbers

extension JSONParser {
  mutating func number() throws(JSONError) -> JSON {
    let start = position
    _ = take(UInt8(ascii: "-"))
    let isInteger = try scanNumber()
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger {
      guard let value = Int(text) else {
        throw JSONError(offset: start, reason: "the integer \(text.printable(limit: 40)) does not fit into 64 bits")
      }
      return .integer(value)
    }
    guard let value = Double(text), value.isFinite else {
      throw JSONError(offset: start, reason: "the number \(text.printable(limit: 40)) is out of range")
    }
    return .number(value)
  }

  /// Skips a number after its sign, and returns whether it has neither fraction nor exponent.
  private mutating func scanNumber() throws(JSONError) -> Bool {
    if take(UInt8(ascii: "0")) {
      if let byte = next, isDigit(byte) { throw failure("a number must not have leading zeros") }
    } else {
      try digits()
    }
    var isInteger = true
    if take(UInt8(ascii: ".")) {
      isInteger = false
      try digits()
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      isInteger = false
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try digits()
    }
    return isInteger
  }

  private mutating func digits() throws(JSONError) {
    guard let byte = next, isDigit(byte) else { throw failure("expected a digit") }
    while let byte = next, isDigit(byte) { position += 1 }
  }

  func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
}
