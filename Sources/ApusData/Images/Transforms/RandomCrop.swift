import ApusSystem

/// Crops a region at a random position: torchvision's `RandomCrop`. An image that is too small is first padded, equally
/// on both sides.
public struct RandomCrop: ImageTransform {
  public static let name = "crop"
  public static let usage = "crop [SIZE] [pad N] [reflect|replicate|fill V]"
  public static let summary = "crop at a random position (default: to the size of the image), after padding by N pixels"

  /// The size of the region; `nil` for the size of the image.
  public var size: ImageSize?
  /// The padding on each side in pixels.
  public var padding: Int
  /// How pixels beyond the edges of the image are filled.
  public var edges: EdgeMode

  public init(_ size: ImageSize?, padding: Int = 0, edges: EdgeMode = .constant(0)) {
    (self.size, self.padding, self.edges) = (size, padding, edges)
  }

  /// Parses the arguments after the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    let size = try words.size()
    let padding = try words.wholeNumber(after: "pad", in: 0...4096) ?? 0
    self.init(size, padding: padding, edges: try words.edgeMode())
  }

  public var description: String {
    RandomCrop.name + (size.map { " \($0)" } ?? "") + (padding == 0 ? "" : " pad \(padding)") + edges.suffix
  }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    let part = size ?? image.size
    let top = start(image.height, part.height, &random)
    let left = start(image.width, part.width, &random)
    image = image.cropped(top: top, left: left, part, edges: edges)
  }

  /// The random first row or column of the region; negative if the region begins in the padding.
  private func start(_ extent: Int, _ length: Int, _ random: inout ImageRandom) -> Int {
    let added = max(padding, ceilDivide(length - extent, 2))
    return random.integer(below: extent + 2 * added - length + 1) - added
  }

  public func outputSize(_ input: ImageSize?) -> ImageSize? { size ?? input }
}
