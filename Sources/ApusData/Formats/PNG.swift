import ApusSystem
import CPNG

/// Images in the PNG format (ISO/IEC 15948), decoded and encoded by libpng.
enum PNG {
  static let signature: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

  /// Decodes a file; `Image.init(contentsOf:limits:)` lists the conversions.
  static func decode(_ bytes: [UInt8], path: String, limits: ImageLimits) throws(DataError) -> Image {
    // `PNGChunks` checks the file and keeps only the chunks that define the pixels. libpng reads these chunks.
    let stream = try PNGChunks(bytes, path: path)
    let header = stream.header
    try limits.check(height: header.height, width: header.width, path: path, format: "PNG")
    var state = png_image()
    state.version = UInt32(PNG_IMAGE_VERSION)
    defer { png_image_free(&state) }
    let channels = header.isColored ? 3 : 1
    var stored = channels
    let count = header.height * header.width
    guard HostAllocation.isPossible(8 * count) else {
      throw .tooLarge(
        source: path,
        reason: "not enough memory for its \(header.height)x\(header.width) pixels",
        remedy: "make the image smaller")
    }
    // libpng reads from the memory passed to `begin_read` until the image is complete.
    let pixels = stream.bytes.withUnsafeBufferPointer { source -> [UInt8]? in
      guard png_image_begin_read_from_memory(&state, source.baseAddress, source.count) != 0 else { return nil }
      if header.bitDepth == 16 { state.flags |= UInt32(PNG_IMAGE_FLAG_16BIT_sRGB) }
      // Keep an alpha channel: libpng could remove it only by compositing onto a background.
      let alpha = state.format & PNG_FORMAT_FLAG_ALPHA
      state.format = alpha | (header.isColored ? PNG_FORMAT_FLAG_COLOR : 0)
      stored += alpha == 0 ? 0 : 1
      return [UInt8](unsafeUninitializedCapacity: count * stored) { buffer, initialized in
        let isDecoded = png_image_finish_read(&state, nil, buffer.baseAddress, 0, nil) != 0
        initialized = isDecoded ? count * stored : 0
      }
    }
    // Warnings are errors here: the stream contains only pixel data, so a warning means damaged pixels.
    guard let pixels, !pixels.isEmpty, state.warning_or_error == 0 else { throw failure(state, path) }
    return Image(
      height: header.height, width: header.width, channels: channels,
      pixels: stored == channels ? pixels : droppingLast(of: stored, pixels, count))
  }

  private static func droppingLast(of channels: Int, _ pixels: [UInt8], _ area: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: area * (channels - 1)) { buffer, count in
      var target = 0
      for pixel in 0..<area {
        for channel in 0..<channels - 1 {
          buffer[target] = pixels[pixel * channels + channel]
          target += 1
        }
      }
      count = target
    }
  }

  /// Encodes an image as gray or RGB with 8 bits per channel.
  static func encode(_ image: Image) -> [UInt8] {
    var state = png_image()
    state.version = UInt32(PNG_IMAGE_VERSION)
    state.width = UInt32(image.width)
    state.height = UInt32(image.height)
    state.format = image.channels == 1 ? 0 : PNG_FORMAT_FLAG_COLOR
    defer { png_image_free(&state) }
    // Incompressible data grow by less than an eighth. If the buffer is too small nevertheless, libpng sets `room` to
    // the required size for a second try.
    var room = image.pixels.count + image.height + image.pixels.count / 8 + 1024
    for _ in 0..<2 {
      var isEncoded = false
      let bytes = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
        isEncoded = png_image_write_to_memory(&state, buffer.baseAddress, &room, 0, image.pixels, 0, nil) != 0
        count = isEncoded ? room : 0
      }
      if isEncoded { return bytes }
    }
    fatalError("pngData: [\(image.height), \(image.width), \(image.channels)]: \(message(state))")
  }

  private static func message(_ state: png_image) -> String {
    withUnsafeBytes(of: state.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  private static func failure(_ state: png_image, _ path: String) -> DataError {
    .malformed(
      path: path, format: "PNG", location: .file, reason: message(state), remedy: "copy or download the file again")
  }
}

extension Image {
  /// The image as a PNG file.
  /// - Precondition: the image has 1 or 3 channels.
  public func pngData() -> [UInt8] {
    guard channels == 1 || channels == 3 else { fatalError("pngData: \(channels) channels, expected 1 or 3") }
    return PNG.encode(self)
  }
}
