import ApusData
import ApusSystem

/// The predictions of a classifier for the tiles of a large image, combined.
public struct TiledPrediction: Hashable, Sendable {
  /// The positions of the tiles.
  public let tiles: ImageTiles
  /// The probabilities of each tile, `[tiles, classes]`, row-major.
  public let probabilities: [Float]
  /// The number of classes.
  public let classCount: Int

  /// - Parameter probabilities: `[tiles.count, classes]`, row-major.
  /// - Precondition: the number of probabilities is a positive multiple of `tiles.count`.
  public init(_ tiles: ImageTiles, probabilities: [Float]) {
    guard !probabilities.isEmpty, probabilities.count % tiles.count == 0 else {
      fatalError("TiledPrediction: \(probabilities.count) probabilities of \(tiles.count) tiles")
    }
    self.tiles = tiles
    self.probabilities = probabilities
    classCount = probabilities.count / tiles.count
  }

  /// The probability of each class for a tile. The slice keeps the indices of `probabilities`: for the second and later
  /// tiles, its first index is not 0.
  public func probabilities(ofTile number: Int) -> ArraySlice<Float> {
    probabilities[number * classCount..<(number + 1) * classCount]
  }

  /// The probability of each class for the whole image: the mean over the tiles.
  public var means: [Double] {
    (0..<classCount).map { number in
      stride(from: number, to: probabilities.count, by: classCount).map { Double(probabilities[$0]) }.mean
    }
  }

  /// The probability of a class at each pixel of the image, `[height, width]`. This is the probability for the tile
  /// that contains the pixel or, if several tiles contain it, their weighted mean (see
  /// `ImageTiles.stitched(_:channels:)`).
  public func map(ofClass number: Int) -> [Float] {
    tiles.stitched(channels: 1) { tile, _ in probabilities[tile * classCount + number] }
  }
}
