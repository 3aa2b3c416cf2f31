/// A large picture cut into overlapping tiles of one size, and what is predicted for them put together again.
///
/// The last tile of each row and column ends where the picture does, so that it may overlap the one before it by more.
/// Where tiles overlap, their values are averaged with weights that fall towards a tile's edges, so that no seams are
/// left.
public struct ImageTiles: Hashable, Sendable {
  /// The picture's size.
  public let image: ImageSize
  /// The size of every tile.
  public let tile: ImageSize
  /// The first row and column of each tile, by rows.
  public let origins: [(top: Int, left: Int)]
  private let overlap: Int

  /// - Parameters:
  ///   - image: the picture's size
  ///   - tile: the tiles' size; where the picture is smaller, it gets mirrored edges at the bottom and right
  ///   - overlap: how many pixels neighbours share at least
  /// - Precondition: extents are positive, and the overlap is not negative and smaller than a tile.
  public init(_ image: ImageSize, tile: ImageSize, overlap: Int) {
    guard overlap >= 0, overlap < min(tile.height, tile.width), min(image.height, image.width) > 0 else {
      fatalError("ImageTiles: tiles of \(tile) that overlap by \(overlap) in a picture of \(image)")
    }
    (self.image, self.tile, self.overlap) = (image, tile, overlap)
    let tops = ImageTiles.starts(image.height, tile.height, overlap)
    let lefts = ImageTiles.starts(image.width, tile.width, overlap)
    origins = tops.flatMap { top in lefts.map { (top, $0) } }
  }

  private static func starts(_ extent: Int, _ length: Int, _ overlap: Int) -> [Int] {
    let last = max(0, extent - length)
    return Array(stride(from: 0, to: last, by: length - overlap)) + [last]
  }

  /// The number of tiles.
  public var count: Int { origins.count }

  /// The tiles of a picture, by rows.
  /// - Precondition: the picture has the size that the tiles were made for.
  public func tiles(of image: Image) -> [Image] { (0..<count).map { tile($0, of: image) } }

  /// One of the tiles, by its number.
  /// - Precondition: the picture has the size that the tiles were made for, and `number` is in `0 ..< count`.
  public func tile(_ number: Int, of image: Image) -> Image {
    guard image.size == self.image else {
      fatalError("ImageTiles: a picture of \(image.size), expected \(self.image)")
    }
    return image.cropped(top: origins[number].top, left: origins[number].left, tile, edges: .reflect)
  }

  /// Values for each pixel of the picture, `[channels, height, width]`, from those of the tiles.
  ///
  /// `Σ w · v / Σ w` over the tiles that a pixel lies in; the weight `w` of a place in a tile is the product of those
  /// of its row and its column, `min(i + 1, length − i, overlap + 1)`.
  ///
  /// - Parameter predictions: of each tile, `[channels, tile height, tile width]`
  /// - Precondition: there are as many predictions as tiles, each of that size.
  public func stitched(_ predictions: [[Float]], channels: Int) -> [Float] {
    let area = tile.height * tile.width
    guard predictions.count == count, predictions.allSatisfy({ $0.count == channels * area }) else {
      fatalError("ImageTiles: \(predictions.count) predictions for \(count) tiles of [\(channels), \(tile)]")
    }
    return stitched(channels: channels) { predictions[$0][$1] }
  }

  /// The same for values that are made when they are asked for: tiles that overlap by much have many more than the
  /// picture.
  /// - Parameter value: of a tile, at a place of its `[channels, tile height, tile width]`.
  public func stitched(channels: Int, _ value: (_ tile: Int, _ place: Int) -> Float) -> [Float] {
    let (size, area) = (image.height * image.width, tile.height * tile.width)
    var sums = [Float](repeating: 0, count: channels * size)
    var weights = [Float](repeating: 0, count: size)
    let (rows, columns) = (ramp(tile.height), ramp(tile.width))
    for (number, origin) in origins.enumerated() {
      let height = min(tile.height, image.height - origin.top)
      let width = min(tile.width, image.width - origin.left)
      for y in 0..<height {
        for x in 0..<width {
          let weight = rows[y] * columns[x]
          let place = (origin.top + y) * image.width + origin.left + x
          weights[place] += weight
          for channel in 0..<channels {
            sums[channel * size + place] += weight * value(number, channel * area + y * tile.width + x)
          }
        }
      }
    }
    for channel in 0..<channels { for place in 0..<size { sums[channel * size + place] /= weights[place] } }
    return sums
  }

  private func ramp(_ length: Int) -> [Float] {
    (0..<length).map { Float(min($0 + 1, length - $0, overlap + 1)) }
  }

  public static func == (one: ImageTiles, other: ImageTiles) -> Bool {
    one.image == other.image && one.tile == other.tile && one.overlap == other.overlap
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(image)
    hasher.combine(tile)
    hasher.combine(overlap)
  }
}
