/// A message in the Protocol Buffers encoding: a sequence of fields, each with its number and wire type.
///
/// Fields with their default value are left out, as proto3 specifies.
struct ProtocolMessage {
  private(set) var bytes: [UInt8] = []

  /// The wire types of fields.
  private enum Kind: UInt64 {
    case varint = 0, fixed64 = 1, lengthDelimited = 2, fixed32 = 5
  }

  /// Appends the value as groups of seven bits, lowest first, one per byte; all bytes but the last have their highest
  /// bit set.
  private mutating func append(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func begin(_ field: Int, _ kind: Kind) { append(varint: UInt64(field) << 3 | kind.rawValue) }

  private mutating func append<T: FixedWidthInteger>(littleEndian value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }

  /// Adds an `int32`, `int64` or enumeration field; a negative number takes ten bytes.
  mutating func set(_ field: Int, _ value: Int) {
    guard value != 0 else { return }
    begin(field, .varint)
    append(varint: UInt64(bitPattern: Int64(value)))
  }

  /// Adds a `double` field.
  mutating func set(_ field: Int, _ value: Double) {
    guard value != 0 else { return }
    begin(field, .fixed64)
    append(littleEndian: value.bitPattern)
  }

  /// Adds a `float` member of a `oneof`, which is written even if it is zero.
  mutating func set(_ field: Int, choice value: Float) {
    begin(field, .fixed32)
    append(littleEndian: value.bitPattern)
  }

  /// Adds a `bytes` field.
  mutating func set(_ field: Int, _ value: [UInt8]) {
    guard !value.isEmpty else { return }
    begin(field, .lengthDelimited)
    append(varint: UInt64(value.count))
    bytes += value
  }

  /// Adds a `string` field.
  mutating func set(_ field: Int, _ value: String) { set(field, Array(value.utf8)) }

  /// Adds a nested message, which is written even if it is empty.
  mutating func set(_ field: Int, _ build: (inout ProtocolMessage) -> Void) {
    var message = ProtocolMessage()
    build(&message)
    begin(field, .lengthDelimited)
    append(varint: UInt64(message.bytes.count))
    bytes += message.bytes
  }

  /// Adds a packed `repeated double` field.
  mutating func set(_ field: Int, packed values: [Double]) {
    guard !values.isEmpty else { return }
    begin(field, .lengthDelimited)
    append(varint: UInt64(8 * values.count))
    for value in values { append(littleEndian: value.bitPattern) }
  }
}
