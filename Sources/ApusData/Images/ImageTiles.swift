/// Divides a large image into overlapping tiles of one size, and stitches the predictions for the tiles.
///
/// The last of several tiles in a row or column ends at the edge of the image, so it may overlap its neighbor by more
/// than the other tiles do. In overlaps, values are averaged with weights that decrease towards the edges of a tile,
/// which avoids seams.
public struct ImageTiles: Hashable, Sendable {
  /// The height and width of the image in pixels.
  public let image: ImageSize
  /// The height and width of every tile in pixels.
  public let tile: ImageSize
  /// The first row and column of each tile, in row-major order.
  public let origins: [(top: Int, left: Int)]
  private let overlap: Int

  /// - Parameters:
  ///   - image: the height and width of the image in pixels
  ///   - tile: the size of the tiles; an image that is smaller than a tile is padded by reflection at the bottom and
  ///     right
  ///   - overlap: the minimum overlap of neighbors in pixels
  /// - Precondition: extents are positive, and the overlap is at least 0 and less than both extents of a tile.
  public init(_ image: ImageSize, tile: ImageSize, overlap: Int) {
    guard overlap >= 0, overlap < min(tile.height, tile.width), min(image.height, image.width) > 0 else {
      fatalError("ImageTiles: tiles of \(tile) that overlap by \(overlap) in an image of \(image)")
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

  /// The tiles of an image, in row-major order.
  /// - Precondition: the size of the image is `self.image`.
  public func tiles(of image: Image) -> [Image] { (0..<count).map { tile($0, of: image) } }

  /// The tile at `origins[number]`. Its pixels beyond the edges of the image are reflections.
  /// - Precondition: the size of the image is `self.image`, and `number` is in `0 ..< count`.
  public func tile(_ number: Int, of image: Image) -> Image {
    guard image.size == self.image else {
      fatalError("ImageTiles: an image of \(image.size), expected \(self.image)")
    }
    return image.cropped(top: origins[number].top, left: origins[number].left, tile, edges: .reflect)
  }

  /// Stitches the predictions of the tiles into values for each pixel of the image, `[channels, height, width]`.
  ///
  /// The value of a pixel is `Σ w · v / Σ w` over the tiles that contain it, where `v` is the value in a tile. The
  /// weight `w` is the product of a row weight and a column weight. Each of them is
  /// `min(i + 1, length − i, overlap + 1)`, where `i` is the index of the pixel's row or column in the tile, and
  /// `length` is the number of rows or columns of the tile.
  ///
  /// - Parameter predictions: the values of each tile, `[channels, tile height, tile width]`
  /// - Precondition: there is one prediction of that size per tile.
  public func stitched(_ predictions: [[Float]], channels: Int) -> [Float] {
    let area = tile.height * tile.width
    guard predictions.count == count, predictions.allSatisfy({ $0.count == channels * area }) else {
      fatalError("ImageTiles: \(predictions.count) predictions for \(count) tiles of [\(channels), \(tile)]")
    }
    return stitched(channels: channels) { predictions[$0][$1] }
  }

  /// Stitches values that `value` returns one by one, so that they need not be in memory together: tiles with a large
  /// overlap have many more values than the image.
  /// - Parameter value: returns a value of the prediction for tile number `tile`. The prediction is
  ///   `[channels, tile height, tile width]`, and `position` is a row-major index into it.
  public func stitched(channels: Int, _ value: (_ tile: Int, _ position: Int) -> Float) -> [Float] {
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
          let position = (origin.top + y) * image.width + origin.left + x
          weights[position] += weight
          for channel in 0..<channels {
            sums[channel * size + position] += weight * value(number, channel * area + y * tile.width + x)
          }
        }
      }
    }
    for channel in 0..<channels { for position in 0..<size { sums[channel * size + position] /= weights[position] } }
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
