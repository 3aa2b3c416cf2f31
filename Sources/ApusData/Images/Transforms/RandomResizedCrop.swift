/// Crops a region of random area and aspect ratio, and resizes it to a fixed size. This is torchvision's
/// `RandomResizedCrop`, the crop of Inception (Szegedy et al., 2014).
public struct RandomResizedCrop: ImageTransform {
  public static let name = "resized-crop"
  public static let usage = "resized-crop SIZE [scale A B] [ratio A B] [bilinear|box|bicubic]"
  public static let summary =
    "crop a random part and resize it; scale is its share of the image's area (default 0.08 to 1), and ratio "
    + "is its width divided by its height (default 0.75 to 1.3333)"

  /// The output size.
  public var size: ImageSize
  /// The range of the region's area, as a fraction of the area of the image.
  public var scale: ClosedRange<Double>
  /// The range of the region's ratio of width to height, sampled uniformly on a logarithmic scale.
  public var ratio: ClosedRange<Double>
  /// The resampling filter.
  public var filter: ResampleFilter

  static let defaultScale = 0.08...1.0
  static let defaultRatio = 3.0 / 4...4.0 / 3

  public init(
    _ size: ImageSize, scale: ClosedRange<Double> = 0.08...1, ratio: ClosedRange<Double> = 3 / 4...4 / 3,
    filter: ResampleFilter = .antialias
  ) {
    (self.size, self.scale, self.ratio, self.filter) = (size, scale, ratio, filter)
  }

  /// Parses the arguments after the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    let size = try words.requiredSize()
    let scale = try words.range(after: "scale", in: 0.0001...1)
    let ratio = try words.range(after: "ratio", in: 0.01...100)
    self.init(
      size, scale: scale ?? RandomResizedCrop.defaultScale, ratio: ratio ?? RandomResizedCrop.defaultRatio,
      filter: words.filter())
  }

  public var description: String {
    "\(RandomResizedCrop.name) \(size)" + scale.words("scale", unless: RandomResizedCrop.defaultScale)
      + ratio.words("ratio", unless: RandomResizedCrop.defaultRatio) + filter.suffix
  }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    let part = part(of: image.size, &random)
    image = image.resized(top: part.top, left: part.left, part.size, to: size, filter: filter)
  }

  public func outputSize(_ input: ImageSize?) -> ImageSize? { size }

  /// Samples a region; if none of ten samples fits, returns the largest central region with an allowed aspect ratio.
  func part(of input: ImageSize, _ random: inout ImageRandom) -> (top: Int, left: Int, size: ImageSize) {
    let drawn = random.part(of: input, atMost: input, scale: scale, ratio: ratio) { ImageSize(height: $1, width: $0) }
    if let drawn { return drawn }
    var part = input
    let shape = Double(input.width) / Double(input.height)
    if shape < ratio.lowerBound {
      part.height = max(1, Int((Double(input.width) / ratio.lowerBound).rounded(.toNearestOrEven)))
    } else if shape > ratio.upperBound {
      part.width = max(1, Int((Double(input.height) * ratio.upperBound).rounded(.toNearestOrEven)))
    }
    let (top, left) = input.corner(ofCentral: part)
    return (top, left, part)
  }
}

extension ClosedRange<Double> {
  /// The range as words of a transform, ` name 0.1 0.5`; empty for the default range.
  func words(_ name: String, unless usual: ClosedRange<Double>) -> String {
    self == usual ? "" : " \(name) \(lowerBound.short) \(upperBound.short)"
  }
}
