/// Flips images horizontally at random.
public struct HorizontalFlip: ImageTransform {
  public static let name = "flip"
  public static let usage = "flip [P]"
  public static let summary = "flip horizontally with probability P (default 0.5)"

  /// The probability of flipping an image.
  public var probability: Double

  public init(probability: Double = 0.5) { self.probability = probability }

  /// Parses the arguments after the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    self.init(probability: try words.number(in: 0...1) ?? 0.5)
  }

  public var description: String { HorizontalFlip.name + (probability == 0.5 ? "" : " \(probability.short)") }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    if random.chance(probability) { image.flipHorizontally() }
  }
}

extension Image {
  /// Reverses the order of the pixels in each row, in place.
  public mutating func flipHorizontally() {
    let (height, width, channels) = (height, width, channels)
    pixels.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return }
      for y in 0..<height {
        var left = start + y * width * channels
        var right = left + (width - 1) * channels
        while left < right {
          if channels == 3 {
            let (red, green, blue) = (left[0], left[1], left[2])
            (left[0], left[1], left[2]) = (right[0], right[1], right[2])
            (right[0], right[1], right[2]) = (red, green, blue)
          } else {
            swap(&left.pointee, &right.pointee)
          }
          left += channels
          right -= channels
        }
      }
    }
  }
}
