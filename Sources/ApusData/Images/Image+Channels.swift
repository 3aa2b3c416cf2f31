extension Image {
  /// The luma of a color, `0.299 R + 0.587 G + 0.114 B` (ITU-R BT.601), in fixed point with 16 fractional bits, as in
  /// Pillow.
  @inline(__always)
  static func luma(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> UInt8 {
    UInt8(truncatingIfNeeded: (Int(red) * 19_595 + Int(green) * 38_470 + Int(blue) * 7_471 + 0x8000) >> 16)
  }

  /// The image converted to gray or RGB: RGB becomes the gray `0.299 R + 0.587 G + 0.114 B`, rounded; gray becomes
  /// equal red, green and blue.
  /// - Precondition: `count` equals `channels`, or one of these numbers is 1 and the other is 3.
  public func converted(toChannels count: Int) -> Image {
    if count == channels { return self }
    let area = height * width
    switch (channels, count) {
    case (3, 1):
      return Image(size, channels: 1) { target in
        pixels.withUnsafeBufferPointer { source in
          for position in 0..<area {
            target[position] = Image.luma(source[3 * position], source[3 * position + 1], source[3 * position + 2])
          }
        }
      }
    case (1, 3):
      return Image(size, channels: 3) { target in
        pixels.withUnsafeBufferPointer { source in
          for position in 0..<area {
            (target[3 * position], target[3 * position + 1]) = (source[position], source[position])
            target[3 * position + 2] = source[position]
          }
        }
      }
    default: fatalError("converted: from \(channels) channels to \(count); only 1 to 3 and 3 to 1 are possible")
    }
  }

  /// Writes the image as planes, `[count, height, width]`; all planes of a gray image are equal.
  /// - Precondition: `count` is the image's number of channels, or the image is gray.
  func writePlanes(_ count: Int, to target: UnsafeMutablePointer<UInt8>) {
    let (area, channels) = (height * width, channels)
    pixels.withUnsafeBufferPointer { source in
      guard let source = source.baseAddress else { return }
      if channels == 1 {
        for channel in 0..<count { (target + channel * area).update(from: source, count: area) }
      } else if channels == 3 {
        let (red, green, blue) = (target, target + area, target + 2 * area)
        for position in 0..<area {
          red[position] = source[3 * position]
          green[position] = source[3 * position + 1]
          blue[position] = source[3 * position + 2]
        }
      } else {
        for channel in 0..<count {
          for position in 0..<area { target[channel * area + position] = source[position * channels + channel] }
        }
      }
    }
  }
}
