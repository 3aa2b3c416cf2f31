/// Rotates every image about its center, with bilinear interpolation.
public struct RandomRotation: ImageTransform {
  public static let name = "rotate"
  public static let usage = "rotate D [fill V]"
  public static let summary = "rotate by up to D degrees in either direction"

  /// The largest rotation in degrees, in both directions.
  public var degrees: Double
  /// The value of the pixels beyond the edges.
  public var fill: UInt8

  public init(_ degrees: Double, fill: UInt8 = 0) { (self.degrees, self.fill) = (degrees, fill) }

  /// Parses the arguments after the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    let degrees = try words.requiredNumber(in: 0.0...180)
    self.init(degrees, fill: try words.fill())
  }

  public var description: String { "\(RandomRotation.name) \(degrees.short)\(EdgeMode.constant(fill).suffix)" }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    image = image.mapped(by: AffineMap(angle: random.uniform(in: -degrees...degrees)), fill: fill)
  }
}
