/// A part of every picture, anywhere in it: torchvision's `RandomCrop`. A picture that is too small first gets what it
/// lacks, half of it on each side.
public struct RandomCrop: ImageTransform {
  public static let name = "crop"
  public static let usage = "crop [SIZE] [pad N] [reflect|replicate|fill V]"
  public static let summary = "cut out a part anywhere, of the picture's own size if none is named; first add N pixels"

  /// The part's size; `nil` for that of the picture.
  public var size: ImageSize?
  /// Pixels that are first added on each side.
  public var padding: Int
  /// What lies beyond the edges.
  public var edges: EdgeMode

  public init(_ size: ImageSize?, padding: Int = 0, edges: EdgeMode = .constant(0)) {
    (self.size, self.padding, self.edges) = (size, padding, edges)
  }

  /// Reads what follows the name.
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

  /// Where the part begins, with the padding and what else a small picture needs.
  private func start(_ extent: Int, _ length: Int, _ random: inout ImageRandom) -> Int {
    let added = max(padding, (length - extent + 1) / 2)
    return random.integer(below: extent + 2 * added - length + 1) - added
  }

  public func outputSize(_ input: ImageSize?) -> ImageSize? { size ?? input }
}
