/// Resizes the shorter side of each image to one of several lengths, chosen at random (the scale jittering of Simonyan,
/// Zisserman, 2014). The resulting sizes differ, so a crop should follow in the pipeline.
public struct MultiScale: ImageTransform {
  public static let name = "scales"
  public static let usage = "scales N N … [bilinear|box|bicubic]"
  public static let summary = "resize the shorter side to one of several lengths, chosen at random for each image"

  /// The lengths of the shorter side in pixels.
  public var lengths: [Int]
  /// The resampling filter.
  public var filter: ResampleFilter

  /// - Precondition: `lengths` is not empty, and all lengths are positive.
  public init(_ lengths: [Int], filter: ResampleFilter = .antialias) {
    (self.lengths, self.filter) = (lengths, filter)
  }

  /// Parses the words after the transform's name.
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
