/// Flips images horizontally at random, or in alternate epochs.
public struct HorizontalFlip: ImageTransform {
  public static let name = "flip"
  public static let usage = "flip [P|alternate]"
  public static let summary =
    "flip horizontally with probability P (default 0.5); alternate: flip half of the images in the first epoch, the "
    + "other half in the next one, and so on"

  /// The probability of flipping an image, unless the transform alternates.
  public var probability: Double
  /// Whether each image is flipped in every second epoch: in the first epoch a random half of the images, in the second
  /// epoch the other half, and so on. In two epochs, each image is seen once in each form (Jordan, "94% on CIFAR-10 in
  /// 3.29 seconds on a single GPU", 2024).
  public var isAlternating: Bool

  public init(probability: Double = 0.5, isAlternating: Bool = false) {
    (self.probability, self.isAlternating) = (probability, isAlternating)
  }

  /// Parses the arguments after the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    let isAlternating = words.take("alternate")
    let probability = isAlternating ? nil : try words.number(in: 0...1)
    self.init(probability: probability ?? 0.5, isAlternating: isAlternating)
  }

  public var description: String {
    if isAlternating { return "\(HorizontalFlip.name) alternate" }
    return HorizontalFlip.name + (probability == 0.5 ? "" : " \(probability.short)")
  }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    let isFlipped = isAlternating ? random.isInFirstHalf == random.isEvenEpoch : random.chance(probability)
    if isFlipped { image.flipHorizontally() }
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
