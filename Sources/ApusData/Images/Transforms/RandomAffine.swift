/// Rotates, translates, scales and shears every image about its center, with bilinear interpolation: torchvision's
/// `RandomAffine`.
public struct RandomAffine: ImageTransform {
  public static let name = "affine"
  public static let usage = "affine [rotate D] [move S] [scale A B] [shear D] [fill V]"
  public static let summary =
    "rotate by up to D degrees, move by up to a fraction S of the size, scale by A to B, shear by up to D degrees"

  /// The largest rotation in degrees, in both directions.
  public var rotation: Double
  /// The largest translation as a fraction of height and width.
  public var translation: Double
  /// The range of the scale factor.
  public var scale: ClosedRange<Double>
  /// The largest shear along the horizontal axis in degrees, in both directions.
  public var shear: Double
  /// The value of the pixels beyond the edges.
  public var fill: UInt8

  public init(
    rotation: Double = 0, translation: Double = 0, scale: ClosedRange<Double> = 1...1, shear: Double = 0,
    fill: UInt8 = 0
  ) {
    (self.rotation, self.translation, self.scale) = (rotation, translation, scale)
    (self.shear, self.fill) = (shear, fill)
  }

  /// Parses the arguments after the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    self.init(
      rotation: try words.number(after: "rotate", in: 0...180) ?? 0,
      translation: try words.number(after: "move", in: 0...1) ?? 0,
      scale: try words.range(after: "scale", in: 0.01...100) ?? 1...1,
      shear: try words.number(after: "shear", in: 0...80) ?? 0, fill: try words.fill())
  }

  public var description: String {
    RandomAffine.name + (rotation == 0 ? "" : " rotate \(rotation.short)")
      + (translation == 0 ? "" : " move \(translation.short)") + scale.words("scale", unless: 1...1)
      + (shear == 0 ? "" : " shear \(shear.short)") + EdgeMode.constant(fill).suffix
  }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    let angle = random.uniform(in: -rotation...rotation)
    let right = RandomShift.pixels(translation, image.width, &random)
    let down = RandomShift.pixels(translation, image.height, &random)
    let map = AffineMap(
      angle: angle, right: Double(right), down: Double(down), scale: random.uniform(in: scale),
      shearX: random.uniform(in: -shear...shear))
    image = image.mapped(by: map, fill: fill)
  }
}
