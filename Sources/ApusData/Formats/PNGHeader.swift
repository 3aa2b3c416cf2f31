/// What the first chunk of a PNG file says (ISO/IEC 15948, 11.2.2).
package struct PNGHeader: Sendable {
  package let width: Int
  package let height: Int
  /// Bits of a sample: 1, 2, 4, 8 or 16.
  let bitDepth: UInt8
  /// Bits: 1 for a palette, 2 for colours, 4 for opacity.
  let colorType: UInt8

  /// The signature and the chunk with its length, its name, 13 bytes of data and the checksum.
  private static let byteCount = 8 + 4 + 4 + 13 + 4

  /// Reads the beginning of a file; `nil` for other bytes. The checksum is left to who reads the rest.
  package init?(_ file: [UInt8]) {
    let name = PNG.signature + [0, 0, 0, 13] + Array("IHDR".utf8)
    guard file.count >= PNGHeader.byteCount, file.starts(with: name) else { return nil }
    width = PNGHeader.word(file, at: name.count)
    height = PNGHeader.word(file, at: name.count + 4)
    bitDepth = file[name.count + 8]
    colorType = file[name.count + 9]
  }

  /// Whether there are colours, as samples or in a palette.
  var isColored: Bool { colorType & 2 != 0 }

  /// The numbers of a pixel, those of a palette's colours where it has one.
  package var channelCount: Int { (isColored ? 3 : 1) + (colorType & 4 != 0 ? 1 : 0) }

  /// A number of four bytes, the first one of the highest value.
  static func word(_ bytes: [UInt8], at position: Int) -> Int {
    bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
  }
}
