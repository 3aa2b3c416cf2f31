/// Translates every image by whole pixels, up to a fraction of its extents in each direction.
public struct RandomShift: ImageTransform {
  public static let name = "shift"
  public static let usage = "shift S [reflect|replicate|fill V]"
  public static let summary = "move by up to a fraction S of height and width"

  /// The largest translation as a fraction of height and width.
  public var share: Double
  /// The pixels beyond the edges.
  public var edges: EdgeMode

  public init(_ share: Double, edges: EdgeMode = .constant(0)) {
    (self.share, self.edges) = (share, edges)
  }

  /// Parses the arguments after the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    let share = try words.requiredNumber(in: 0.0...1)
    self.init(share, edges: try words.edgeMode())
  }

  public var description: String { "\(RandomShift.name) \(share.short)\(edges.suffix)" }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    let down = RandomShift.pixels(share, image.height, &random)
    let right = RandomShift.pixels(share, image.width, &random)
    image = image.cropped(top: -down, left: -right, image.size, edges: edges)
  }

  /// A uniform random shift in `−share · extent ... share · extent`, rounded to whole pixels.
  static func pixels(_ share: Double, _ extent: Int, _ random: inout ImageRandom) -> Int {
    let most = share * Double(extent)
    return Int(random.uniform(in: -most...most).rounded(.toNearestOrEven))
  }
}
