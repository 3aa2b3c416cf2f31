/// The shorter side of each picture at one of several lengths, drawn anew (the scale jittering of Simonyan, Zisserman,
/// 2014). A crop behind it makes the sizes equal.
public struct MultiScale: ImageTransform {
  public static let name = "scales"
  public static let usage = "scales N N … [bilinear|box|bicubic]"
  public static let summary = "like shorter, with one of several lengths, drawn anew for each picture"

  /// Of the shorter side, in pixels; one is drawn.
  public var lengths: [Int]
  /// How pixels are weighed.
  public var filter: ResampleFilter

  /// - Precondition: there is a length, and all are positive.
  public init(_ lengths: [Int], filter: ResampleFilter = .antialias) {
    (self.lengths, self.filter) = (lengths, filter)
  }

  /// Reads what follows the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    self.init(try words.wholeNumbers(in: 1...8_192), filter: words.filter())
  }

  public var description: String {
    ([MultiScale.name] + lengths.map(String.init)).joined(separator: " ") + filter.suffix
  }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    let length = lengths[random.integer(below: lengths.count)]
    ResizeShorter(length, filter: filter).apply(to: &image, random: &random)
  }

  public func outputSize(_ input: ImageSize?) -> ImageSize? {
    let sizes = Set(lengths.map { length in input.map { ResizeShorter.size($0, length) } })
    return sizes.count == 1 ? sizes.first ?? nil : nil
  }
}
