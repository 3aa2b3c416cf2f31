import ApusSystem

/// The contents of the first chunk of a PNG file (ISO/IEC 15948, 11.2.2).
package struct PNGHeader: Sendable {
  package let width: Int
  package let height: Int
  /// The number of bits of a sample: 1, 2, 4, 8 or 16.
  let bitDepth: UInt8
  /// A bit mask: 1 for a palette, 2 for colors, 4 for an alpha channel.
  let colorType: UInt8

  /// The size of the signature and the first chunk: its length, its name, 13 bytes of data and the checksum.
  private static let byteCount = 8 + 4 + 4 + 13 + 4

  /// Reads the header at the beginning of a file; `nil` if the file does not begin like a PNG file. Does not check the
  /// checksum of the header.
  package init?(_ file: [UInt8]) {
    let name = PNG.signature + [0, 0, 0, 13] + Array("IHDR".utf8)
    guard file.count >= PNGHeader.byteCount, file.starts(with: name) else { return nil }
    width = file.bigEndianWord(at: name.count)
    height = file.bigEndianWord(at: name.count + 4)
    bitDepth = file[name.count + 8]
    colorType = file[name.count + 9]
  }

  /// Whether there are colors, as samples or in a palette.
  var isColored: Bool { colorType & 2 != 0 }

  /// The number of channels of a pixel, after the expansion of a palette.
  package var channelCount: Int { (isColored ? 3 : 1) + (colorType & 4 != 0 ? 1 : 0) }
}

extension [UInt8] {
  /// The width and height in the header of a PNG file; `nil` if this is no PNG file or an extent is not in `1 ... 2²⁰`.
  package var pngSize: (width: Int, height: Int)? {
    guard let header = PNGHeader(self) else { return nil }
    let limits = 1...1 << 20
    return limits.contains(header.width) && limits.contains(header.height) ? (header.width, header.height) : nil
  }
}
