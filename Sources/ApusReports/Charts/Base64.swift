extension Sequence<UInt8> {
  /// The Base64 encoding of the bytes (RFC 4648, section 4), with padding.
  var base64: String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(underestimatedCount / 3 * 4 + 4)
    var (group, count) = (0, 0)
    func append(_ characters: Int) {
      for position in 0..<4 {
        text.append(position < characters ? alphabet[group >> (18 - 6 * position) & 63] : UInt8(ascii: "="))
      }
    }
    for byte in self {
      group |= Int(byte) << (16 - 8 * count)
      count += 1
      if count == 3 {
        append(4)
        (group, count) = (0, 0)
      }
    }
    if count > 0 { append(count + 1) }
    return String(decoding: text, as: UTF8.self)
  }
}
