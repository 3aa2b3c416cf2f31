import ApusFiles

/// The most that a picture may take, checked before anything is decoded: a file of some kilobytes can stand for
/// gigabytes of pixels.
public struct ImageLimits: Hashable, Sendable {
  /// The largest product of height and width.
  public var pixels: Int
  /// The largest file.
  public var bytes: Int

  /// - Parameters:
  ///   - pixels: the largest product of height and width
  ///   - bytes: the largest file
  public init(pixels: Int = 1 << 26, bytes: Int = 1 << 28) {
    self.pixels = pixels
    self.bytes = bytes
  }

  /// 67 million pixels, 268 MB.
  public static let `default` = ImageLimits()

  /// Checks a size that a header names.
  func check(height: Int, width: Int, path: String, format: String) throws(DataError) {
    let (area, overflow) = height.multipliedReportingOverflow(by: width)
    guard overflow || area > pixels else { return }
    throw .unsupported(
      path: path, format: format, reason: "\(height)x\(width) is more than \(pixels) pixels",
      remedy: "make the picture smaller")
  }
}

extension Image {
  /// Reads a PNG or JPEG file; which of the two, its first bytes say, not its name.
  ///
  /// Grey pictures have 1 channel, all others 3. As in torchvision's `ImageFolder`, transparency is dropped, colour
  /// profiles are not applied, and the orientation that cameras note in EXIF is not followed. Values of 16 bits are
  /// rounded to 8, palettes are expanded, CMYK becomes RGB. Of an animation the first picture is read.
  ///
  /// - Throws: an error that names the file when it cannot be read, is of another kind, larger than `limits`,
  ///   truncated or damaged anywhere.
  public init(contentsOf path: String, limits: ImageLimits = .default) throws(DataError) {
    let bytes = try reportingFiles { () throws(FileError) in
      try FileDescriptor.contents(of: path, limit: limits.bytes)
    }
    try self.init(decoding: bytes, path: path, limits: limits)
  }

  /// Decodes a PNG or JPEG file in memory, as `init(contentsOf:limits:)` does. `path` names the source in errors.
  public init(decoding bytes: [UInt8], path: String, limits: ImageLimits = .default) throws(DataError) {
    if bytes.starts(with: PNG.signature) {
      self = try PNG.decode(bytes, path: path, limits: limits)
    } else if bytes.starts(with: JPEG.signature) {
      self = try JPEG.decode(bytes, path: path, limits: limits)
    } else {
      throw Image.unknownKind(bytes, path: path)
    }
  }

  private static let otherKinds: [(start: [UInt8], name: String)] = [
    (Array("GIF8".utf8), "GIF"), (Array("BM".utf8), "BMP"), (Array("RIFF".utf8), "WebP"),
    (Array("II*\0".utf8), "TIFF"), (Array("MM\0*".utf8), "TIFF"), ([0, 0, 0, 0x0c, 0x6a, 0x50], "JPEG 2000"),
    ([0xff, 0x0a], "JPEG XL"),
  ]

  private static func unknownKind(_ bytes: [UInt8], path: String) -> DataError {
    if let kind = otherKinds.first(where: { bytes.starts(with: $0.start) })?.name {
      return .unsupported(
        path: path, format: kind, reason: "pictures are read from PNG and JPEG files",
        remedy: "convert it to one of them")
    }
    let first = bytes.prefix(4).map { String($0, radix: 16) }.joined(separator: " ")
    return .malformed(
      path: path, format: "PNG or JPEG", place: .offset(0),
      reason: bytes.isEmpty ? "the file is empty" : "no picture starts with the bytes \(first)",
      remedy: "check that the file is a picture")
  }
}
