/// Translates every image by whole pixels: down by `d` and to the right by `r`. Both are uniform random numbers,
/// rounded to integers: `d` in `−share · height ... share · height`, `r` in `−share · width ... share · width`.
///
/// The image keeps its size. Pixel `(y, x)` of the result is pixel `(y − d, x − r)` of the image; `edges` gives the
/// pixels outside of the image.
public struct RandomShift: ImageTransform {
  public static let name = "shift"
  public static let usage = "shift S [reflect|replicate|fill V]"
  public static let summary = "move by up to a fraction S of height and width"

  /// The largest translation as a fraction of height and width.
  public var share: Double
  /// The pixels beyond the edges.
  public var edges: EdgeMode

  /// Creates a transform.
  /// - Parameters:
  ///   - share: the largest translation as a fraction of height and width, in `0 ... 1`.
  ///   - edges: the pixels beyond the edges; 0 by default.
  public init(_ share: Double, edges: EdgeMode = .constant(0)) {
    (self.share, self.edges) = (share, edges)
  }

  /// Parses the arguments after the name, see `usage`.
  /// - Throws: `specification` if the fraction is missing or not in `0 ... 1`, or if the value after `fill` is missing
  ///   or not a whole number in `0 ... 255`.
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
