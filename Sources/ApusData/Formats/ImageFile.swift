import ApusSystem

/// The size limits of images. They are checked before decoding, because a file of a few kilobytes can expand to
/// gigabytes of pixels.
public struct ImageLimits: Hashable, Sendable {
  /// The largest product of height and width.
  public var pixels: Int
  /// The largest allowed file size in bytes.
  public var bytes: Int

  /// - Parameters:
  ///   - pixels: the largest product of height and width
  ///   - bytes: the largest allowed file size in bytes
  public init(pixels: Int = 1 << 26, bytes: Int = 1 << 28) {
    self.pixels = pixels
    self.bytes = bytes
  }

  /// At most 67 million pixels, and at most 268 MB for the file.
  public static let `default` = ImageLimits()

  /// Checks an image size from a file header.
  func check(height: Int, width: Int, path: String, format: String) throws(DataError) {
    let (area, overflow) = height.multipliedReportingOverflow(by: width)
    guard overflow || area > pixels else { return }
    throw .unsupported(
      path: path, format: format, reason: "\(height)x\(width) is more than \(pixels) pixels",
      remedy: "make the image smaller")
  }
}

extension Image {
  /// Reads a PNG or JPEG file; the first bytes, not the file name, determine the format.
  ///
  /// Gray images have 1 channel, all others 3. As in torchvision's `ImageFolder`, transparency is dropped, color
  /// profiles are not applied, and the EXIF orientation is ignored. 16-bit values are rounded to 8 bits, palettes are
  /// expanded, and CMYK is converted to RGB. Of an animated PNG, only the default image is read.
  ///
  /// - Throws: an error that names the file when it cannot be read, has another format, exceeds `limits`, has too many
  ///   scans (JPEG), needs more memory than is available, is truncated or is damaged anywhere.
  public init(contentsOf path: String, limits: ImageLimits = .default) throws(DataError) {
    let bytes = try reportingFiles { () throws(FileError) in
      try FileDescriptor.contents(of: path, limit: limits.bytes)
    }
    try self.init(decoding: bytes, path: path, limits: limits)
  }

  /// Decodes a PNG or JPEG file in memory, as `init(contentsOf:limits:)` does, but does not check `limits.bytes`.
  /// `path` names the source in errors.
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
        path: path, format: kind, reason: "images are read from PNG and JPEG files only",
        remedy: "convert it to PNG or JPEG")
    }
    let first = bytes.prefix(4).map { String($0, radix: 16) }.joined(separator: " ")
    return .malformed(
      path: path, format: "PNG or JPEG", location: .offset(0),
      reason: bytes.isEmpty ? "the file is empty" : "no PNG or JPEG file starts with the bytes \(first)",
      remedy: "check that the file is an image")
  }
}
