/// Overwrites a random rectangle of some images with noise or one value (Zhong et al., "Random erasing data
/// augmentation", 2017). The rectangle is sampled as in torchvision's `RandomErasing`.
public struct RandomErasing: ImageTransform {
  public static let name = "erase"
  public static let usage = "erase [P] [scale A B] [ratio A B] [fill V]"
  public static let summary =
    "with probability P (default 0.5), fill a rectangle with noise or with the value V (0 to 255); scale "
    + "is its share of the image's area (default 0.02 to 0.33), and ratio is its height divided by its width (default "
    + "0.3 to 3.3)"

  /// The probability of changing an image.
  public var probability: Double
  /// The range of the rectangle's area, as a fraction of the area of the image.
  public var scale: ClosedRange<Double>
  /// The range of the rectangle's ratio of height to width, sampled uniformly on a logarithmic scale.
  public var ratio: ClosedRange<Double>
  /// The value of the rectangle's pixels; `nil` for noise.
  public var fill: UInt8?

  static let defaultScale = 0.02...0.33
  static let defaultRatio = 0.3...3.3

  public init(
    probability: Double = 0.5, scale: ClosedRange<Double> = 0.02...0.33, ratio: ClosedRange<Double> = 0.3...3.3,
    fill: UInt8? = nil
  ) {
    (self.probability, self.scale, self.ratio, self.fill) = (probability, scale, ratio, fill)
  }

  /// Parses the arguments after the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    self.init(
      probability: try words.number(in: 0...1) ?? 0.5,
      scale: try words.range(after: "scale", in: 0.0001...1) ?? RandomErasing.defaultScale,
      ratio: try words.range(after: "ratio", in: 0.01...100) ?? RandomErasing.defaultRatio,
      fill: try words.wholeNumber(after: "fill", in: 0...255).map { UInt8($0) })
  }

  public var description: String {
    RandomErasing.name + (probability == 0.5 ? "" : " \(probability.short)")
      + scale.words("scale", unless: RandomErasing.defaultScale)
      + ratio.words("ratio", unless: RandomErasing.defaultRatio) + (fill.map { " fill \($0)" } ?? "")
  }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    guard random.chance(probability), let part = part(of: image.size, &random) else { return }
    let (channels, width, fill) = (image.channels, image.width, fill)
    image.pixels.withUnsafeMutableBufferPointer { pixels in
      for y in part.top..<part.top + part.size.height {
        let start = (y * width + part.left) * channels
        for index in start..<start + part.size.width * channels {
          pixels[index] = fill ?? UInt8(truncatingIfNeeded: random.bits() >> 56)
        }
      }
    }
  }

  /// Samples a rectangle; `nil` if none of ten samples fits.
  func part(of input: ImageSize, _ random: inout ImageRandom) -> (top: Int, left: Int, size: ImageSize)? {
    let limit = ImageSize(height: input.height - 1, width: input.width - 1)
    return random.part(of: input, atMost: limit, scale: scale, ratio: ratio) { ImageSize(height: $0, width: $1) }
  }
}
