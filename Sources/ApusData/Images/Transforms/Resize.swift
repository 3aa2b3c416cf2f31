/// Resizes every image to one size, without preserving the aspect ratio.
public struct Resize: ImageTransform {
  public static let name = "resize"
  public static let usage = "resize SIZE [bilinear|box|bicubic]"
  public static let summary = "resize to a size such as 224 or 224x320 (height x width)"

  /// The output size.
  public var size: ImageSize
  /// The resampling filter.
  public var filter: ResampleFilter

  public init(_ size: ImageSize, filter: ResampleFilter = .antialias) {
    (self.size, self.filter) = (size, filter)
  }

  /// Parses the arguments after the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    self.init(try words.requiredSize(), filter: words.filter())
  }

  public var description: String { "\(Resize.name) \(size)\(filter.suffix)" }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    if image.size != size { image = image.resized(to: size, filter: filter) }
  }

  public func outputSize(_ input: ImageSize?) -> ImageSize? { size }
}
