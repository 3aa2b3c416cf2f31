/// Resizes the shorter side of every image to one length and preserves the aspect ratio, as torchvision's `Resize` with
/// one number.
public struct ResizeShorter: ImageTransform {
  public static let name = "shorter"
  public static let usage = "shorter N [bilinear|box|bicubic]"
  public static let summary = "resize the shorter side to this length, with the same aspect ratio"

  /// The length of the shorter side in pixels.
  public var length: Int
  /// The resampling filter.
  public var filter: ResampleFilter

  /// - Precondition: `length` is positive.
  public init(_ length: Int, filter: ResampleFilter = .antialias) {
    (self.length, self.filter) = (length, filter)
  }

  /// Parses the arguments after the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    let length = try words.requiredNumber(in: 1...8_192)
    self.init(length, filter: words.filter())
  }

  public var description: String { "\(ResizeShorter.name) \(length)\(filter.suffix)" }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    let size = ResizeShorter.size(image.size, length)
    if image.size != size { image = image.resized(to: size, filter: filter) }
  }

  public func outputSize(_ input: ImageSize?) -> ImageSize? { input.map { ResizeShorter.size($0, length) } }

  /// The output size. The longer side is truncated to a whole number and limited to the larger of `2²⁶ / length` and
  /// `length`. So with a `length` of at most 8,192, the output has at most 2²⁶ pixels.
  static func size(_ size: ImageSize, _ length: Int) -> ImageSize {
    let (short, long) = (min(size.height, size.width), max(size.height, size.width))
    let other = min(length * long / short, max(length, (1 << 26) / length))
    return size.height <= size.width
      ? ImageSize(height: length, width: other) : ImageSize(height: other, width: length)
  }
}
