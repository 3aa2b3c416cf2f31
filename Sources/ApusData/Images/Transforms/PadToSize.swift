/// Pads images to at least a given height and width, equally on both sides. If the number of added rows or columns is
/// odd, the bottom or right side gets one more.
public struct PadToSize: ImageTransform {
  public static let name = "pad"
  public static let usage = "pad SIZE [reflect|replicate|fill V]"
  public static let summary = "pad images that are smaller than a size"

  /// The minimum output size.
  public var size: ImageSize
  /// The pixels beyond the edges.
  public var edges: EdgeMode

  public init(_ size: ImageSize, edges: EdgeMode = .constant(0)) {
    (self.size, self.edges) = (size, edges)
  }

  /// Parses the arguments after the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    self.init(try words.requiredSize(), edges: try words.edgeMode())
  }

  public var description: String { "\(PadToSize.name) \(size)\(edges.suffix)" }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    let padded = padded(image.size)
    let (top, left) = padded.corner(ofCentral: image.size)
    image = image.cropped(top: -top, left: -left, padded, edges: edges)
  }

  public func outputSize(_ input: ImageSize?) -> ImageSize? { input.map { padded($0) } }

  private func padded(_ input: ImageSize) -> ImageSize {
    ImageSize(height: max(input.height, size.height), width: max(input.width, size.width))
  }
}
