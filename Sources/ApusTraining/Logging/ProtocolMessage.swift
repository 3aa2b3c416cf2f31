/// A message in the Protocol Buffers encoding: a sequence of fields, each with its number and wire type.
///
/// Fields with their default value are left out, as proto3 specifies.
struct ProtocolMessage {
  private(set) var bytes: [UInt8] = []

  /// The wire types of fields.
  private enum Kind: UInt64 {
    case varint = 0, fixed64 = 1, lengthDelimited = 2, fixed32 = 5
  }

  /// Seven bits a byte, the lowest first; all but the last byte have the highest bit set.
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

  /// `int32`, `int64` and enumerations: negative numbers take ten bytes.
  mutating func set(_ field: Int, _ value: Int) {
    guard value != 0 else { return }
    begin(field, .varint)
    append(varint: UInt64(bitPattern: Int64(value)))
  }

  /// `double`
  mutating func set(_ field: Int, _ value: Double) {
    guard value != 0 else { return }
    begin(field, .fixed64)
    append(littleEndian: value.bitPattern)
  }

  /// A `float` member of a `oneof`, which is written even if it is zero.
  mutating func set(_ field: Int, choice value: Float) {
    begin(field, .fixed32)
    append(littleEndian: value.bitPattern)
  }

  /// `bytes`
  mutating func set(_ field: Int, _ value: [UInt8]) {
    guard !value.isEmpty else { return }
    begin(field, .lengthDelimited)
    append(varint: UInt64(value.count))
    bytes += value
  }

  /// `string`
  mutating func set(_ field: Int, _ value: String) { set(field, Array(value.utf8)) }

  /// A nested message, which is written even if it is empty.
  mutating func set(_ field: Int, _ build: (inout ProtocolMessage) -> Void) {
    var message = ProtocolMessage()
    build(&message)
    begin(field, .lengthDelimited)
    append(varint: UInt64(message.bytes.count))
    bytes += message.bytes
  }

  /// `repeated double`, packed.
  mutating func set(_ field: Int, packed values: [Double]) {
    guard !values.isEmpty else { return }
    begin(field, .lengthDelimited)
    append(varint: UInt64(8 * values.count))
    for value in values { append(littleEndian: value.bitPattern) }
  }
}
