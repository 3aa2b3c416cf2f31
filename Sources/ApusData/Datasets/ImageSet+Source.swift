extension ImageSet: ImageSource {
  /// An image with interleaved channels (channels-last).
  public func image(_ number: Int) -> Image {
    let area = height * width
    let start = number * imageByteCount
    if channels == 1 {
      return Image(height: height, width: width, channels: 1, pixels: Array(pixels[start..<start + area]))
    }
    let values = [UInt8](unsafeUninitializedCapacity: imageByteCount) { buffer, initialized in
      for channel in 0..<channels {
        let plane = start + channel * area
        for position in 0..<area { buffer[position * channels + channel] = pixels[plane + position] }
      }
      initialized = imageByteCount
    }
    return Image(height: height, width: width, channels: channels, pixels: values)
  }

  /// The index of the image, as text.
  public func name(of number: Int) -> String { String(number) }

  /// The images with these indices, in this order.
  /// - Precondition: all numbers are in `0 ..< count`.
  public func selecting(_ numbers: [Int32]) -> ImageSet {
    var chosen: [UInt8] = []
    chosen.reserveCapacity(numbers.count * imageByteCount)
    for number in numbers {
      let start = Int(number) * imageByteCount
      chosen += pixels[start..<start + imageByteCount]
    }
    return ImageSet(
      channels: channels, height: height, width: width, pixels: chosen, labels: numbers.map { labels[Int($0)] })
  }
}
