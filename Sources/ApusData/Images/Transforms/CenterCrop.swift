/// Crops the center of every image; a smaller image is padded.
public struct CenterCrop: ImageTransform {
  public static let name = "center-crop"
  public static let usage = "center-crop SIZE [reflect|replicate|fill V]"
  public static let summary = "crop the center"

  /// The output size.
  public var size: ImageSize
  /// The values of the pixels beyond the edges of a smaller image.
  public var edges: EdgeMode

  public init(_ size: ImageSize, edges: EdgeMode = .constant(0)) {
    (self.size, self.edges) = (size, edges)
  }

  /// Parses the arguments after the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    self.init(try words.requiredSize(), edges: try words.edgeMode())
  }

  public var description: String { "\(CenterCrop.name) \(size)\(edges.suffix)" }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    image = image.centerCropped(to: size, edges: edges)
  }

  public func outputSize(_ input: ImageSize?) -> ImageSize? { size }
}
