import ApusSystem
import CTurboJPEG

/// Images in the JPEG format (ISO/IEC 10918), baseline and progressive, decoded and encoded by libjpeg-turbo.
enum JPEG {
  static let signature: [UInt8] = [0xff, 0xd8, 0xff]

  /// Decodes a file with the accurate DCT and interpolated chroma, as Pillow does.
  ///
  /// Warnings of the library (truncated data, misplaced restart markers, …) are errors, because the library would fill
  /// the rest of the image with gray. CMYK files are assumed to be inverted, as Adobe writes them, and are converted to
  /// RGB as Pillow does.
  static func decode(_ bytes: [UInt8], path: String, limits: ImageLimits) throws(DataError) -> Image {
    guard let handle = tjInitDecompress() else { throw failure(message(nil), bytes, path) }
    defer { tjDestroy(handle) }
    var (width, height, subsampling, colors): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
    guard tjDecompressHeader3(handle, bytes, UInt(bytes.count), &width, &height, &subsampling, &colors) == 0,
      width > 0, height > 0
    else { throw failure(message(handle), bytes, path) }
    try limits.check(height: Int(height), width: Int(width), path: path, format: "JPEG")
    let work = Int(height) * Int(width) * scanCount(bytes)
    guard work <= mostWork else {
      throw .tooLarge(
        source: path,
        reason:
          "its \(scanCount(bytes)) scans of \(height)x\(width) pixels are more than the limit of \(mostWork) pixels",
        remedy: "save it again, not progressive")
    }
    let kind = TJCS(rawValue: UInt32(colors))
    let hasInks = kind == TJCS_CMYK || kind == TJCS_YCCK
    let format = kind == TJCS_GRAY ? TJPF_GRAY : hasInks ? TJPF_CMYK : TJPF_RGB
    let stored = kind == TJCS_GRAY ? 1 : hasInks ? 4 : 3
    let count = Int(height) * Int(width) * stored
    guard HostAllocation.isPossible(2 * count) else {
      throw .tooLarge(
        source: path,
        reason: "not enough memory for its \(height)x\(width) pixels",
        remedy: "make the image smaller")
    }
    // `TJFLAG_LIMITSCANS`: the library itself also refuses progressive files with unreasonably many scans.
    let flags = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS
    var broken: DataError?
    let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      let pixels = buffer.baseAddress
      func isWhole(first length: Int) -> Bool {
        tjDecompress2(handle, bytes, UInt(length), pixels, width, 0, height, Int32(format.rawValue), flags) == 0
      }
      if isWhole(first: bytes.count) {
        initialized = count
      } else {
        let reason = message(handle)
        broken = failure(
          reason, bytes, path,
          damage: firstWrong(bytes, tries: searchWork / work) { !isWhole(first: $0) && message(handle) == reason })
      }
    }
    if let broken { throw broken }
    return Image(
      height: Int(height), width: Int(width), channels: min(stored, 3), pixels: hasInks ? composed(pixels) : pixels)
  }

  /// Converts inverted CMYK values to RGB: `k − (255 − c) · k / 255`, with the quotient rounded to the nearest integer,
  /// as in Pillow. `k` is the value of black, `c` the value of cyan, magenta or yellow.
  private static func composed(_ inks: [UInt8]) -> [UInt8] {
    let area = inks.count / 4
    return [UInt8](unsafeUninitializedCapacity: 3 * area) { buffer, count in
      for pixel in 0..<area {
        let black = Int(inks[4 * pixel + 3])
        for ink in 0..<3 {
          let product = (255 - Int(inks[4 * pixel + ink])) * black + 128
          buffer[3 * pixel + ink] = UInt8(clamping: black - (product >> 8 + product) >> 8)
        }
      }
      count = 3 * area
    }
  }

  /// Encodes an image; chroma is stored at half the resolution along both axes unless `isSubsampled` is false.
  static func encode(_ image: Image, quality: Int, isSubsampled: Bool = true) -> [UInt8] {
    guard let handle = tjInitCompress() else { fatalError("jpegData: \(message(nil))") }
    defer { tjDestroy(handle) }
    let isGray = image.channels == 1
    let format = isGray ? TJPF_GRAY : TJPF_RGB
    let subsampling = isGray ? TJSAMP_GRAY : isSubsampled ? TJSAMP_420 : TJSAMP_444
    var (bytes, count): (UnsafeMutablePointer<UInt8>?, UInt) = (nil, 0)
    defer { tjFree(bytes) }
    let status = tjCompress2(
      handle, image.pixels, Int32(image.width), 0, Int32(image.height), Int32(format.rawValue), &bytes, &count,
      Int32(subsampling.rawValue), Int32(quality), TJFLAG_ACCURATEDCT)
    guard status == 0 else {
      fatalError("jpegData: [\(image.height), \(image.width), \(image.channels)]: \(message(handle))")
    }
    return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
  }

  private static func message(_ handle: tjhandle?) -> String {
    tjGetErrorStr2(handle).map { String(cString: $0) } ?? "unknown error"
  }

  /// The maximum product of a file's pixel count and scan count. A file of a few kilobytes can have hundreds of scans
  /// of millions of pixels.
  private static let mostWork = 1 << 30
  /// The limit of the work to locate damage: the number of decodings times the file's pixels times its scans.
  private static let searchWork = 1 << 28

  /// An upper bound of the number of scans. Each scan starts with 0xFF 0xDA; its data never contain these bytes, but
  /// other segments may.
  private static func scanCount(_ bytes: [UInt8]) -> Int {
    var count = 0
    for index in bytes.indices.dropLast() where bytes[index] == 0xff && bytes[index + 1] == 0xda { count += 1 }
    return max(count, 1)
  }

  /// - Parameter damage: the range that contains the byte at which the library detected the damage, if that is known.
  private static func failure(
    _ reason: String, _ bytes: [UInt8], _ path: String, damage: @autoclosure () -> ClosedRange<Int>? = nil
  ) -> DataError {
    // The library reports a premature end when no byte is left, so the offset of this error is the end of the data.
    let end = reason.hasPrefix("Premature end") ? bytes.count : nil
    let known = brokenSegment(bytes) ?? end
    let found = known.map { $0...$0 } ?? damage()
    let isOne = found.map { $0.lowerBound == $0.upperBound } ?? false
    let location = isOne ? found.map { DataError.Location.offset($0.lowerBound) } : nil
    let range = isOne ? nil : found.map { " between byte \($0.lowerBound) and byte \($0.upperBound)" }
    return .malformed(
      path: path, format: "JPEG", location: location ?? .file, reason: reason + (range ?? ""),
      remedy: "copy or download the file again")
  }

  /// Finds, by bisection, a range that contains the byte at which the library detects the damage. The library does not
  /// report this offset. But if the first bytes of a file contain the damage, decoding them alone gives the error of
  /// the whole file; otherwise it gives a premature end.
  /// - Parameters:
  ///   - tries: the maximum number of decodings; if the bisection needs more, the range has several bytes
  ///   - isWrong: whether decoding the first `first` bytes gives the error of the whole file
  private static func firstWrong(
    _ bytes: [UInt8], tries: Int, _ isWrong: (_ first: Int) -> Bool
  ) -> ClosedRange<Int>? {
    guard tries > 0 else { return nil }
    var (tooFew, enough) = (0, bytes.count)
    for _ in 0..<tries where enough - tooFew > 1 {
      let middle = tooFew + (enough - tooFew) / 2
      if isWrong(middle) { enough = middle } else { tooFew = middle }
    }
    return tooFew...enough - 1
  }

  /// The offset of the damage in the segments before the image data: the end of the file if a segment is truncated,
  /// `nil` without damage.
  private static func brokenSegment(_ bytes: [UInt8]) -> Int? {
    var start = 2
    while start + 4 <= bytes.count {
      let marker = bytes[start + 1]
      guard bytes[start] == 0xff, marker != 0xd9 else { return start }
      switch marker {
      case 0xff: start += 1  // Any number of fill bytes may precede a marker.
      case 0x01, 0xd0...0xd7: start += 2  // These markers have no length field.
      default:
        let length = Int(bytes[start + 2]) << 8 | Int(bytes[start + 3])
        guard length >= 2 else { return start + 2 }
        start += 2 + length
        if marker == 0xda, start <= bytes.count { return nil }
      }
    }
    return bytes.count
  }
}

extension Image {
  /// The image as a JPEG file, with chroma at half the resolution along both axes, as cameras store it.
  /// - Parameter quality: 1 to 100
  /// - Precondition: the image has 1 or 3 channels, and neither extent is above 65,535.
  public func jpegData(quality: Int = 90) -> [UInt8] {
    guard channels == 1 || channels == 3, (1...100).contains(quality), max(height, width) <= 0xffff else {
      fatalError("jpegData: [\(height), \(width), \(channels)] in quality \(quality)")
    }
    return JPEG.encode(self, quality: quality)
  }
}
