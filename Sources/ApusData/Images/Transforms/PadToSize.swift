/// Every picture at least of a size: what is smaller gets edges on both sides, the odd pixel at the bottom and right.
public struct PadToSize: ImageTransform {
  public static let name = "pad"
  public static let usage = "pad SIZE [reflect|replicate|fill V]"
  public static let summary = "add edges to what is smaller than a size"

  /// Of what comes out.
  public var size: ImageSize
  /// What lies beyond the edges.
  public var edges: EdgeMode

  public init(_ size: ImageSize, edges: EdgeMode = .constant(0)) {
    (self.size, self.edges) = (size, edges)
  }

  /// Reads what follows the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    self.init(try words.requiredSize(), edges: try words.edgeMode())
  }

  public var description: String { "\(PadToSize.name) \(size)\(edges.suffix)" }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    let padded = padded(image.size)
    let (top, left) = ((padded.height - image.height) / 2, (padded.width - image.width) / 2)
    image = image.cropped(top: -top, left: -left, padded, edges: edges)
  }

  public func outputSize(_ input: ImageSize?) -> ImageSize? { input.map { padded($0) } }

  private func padded(_ input: ImageSize) -> ImageSize {
    ImageSize(height: max(input.height, size.height), width: max(input.width, size.width))
  }
}
