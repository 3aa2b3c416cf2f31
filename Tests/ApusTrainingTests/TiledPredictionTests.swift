import ApusData
import ApusTraining
import Testing

struct TiledPredictionTests {
  /// An image of 4 x 6 in tiles of 4 x 4 that share two columns.
  @Test func probabilitiesOfTilesAreStitched() {
    let tiles = ImageTiles(ImageSize(height: 4, width: 6), tile: ImageSize(height: 4, width: 4), overlap: 2)
    let found = TiledPrediction(tiles, probabilities: [0.25, 0.75, 1, 0])
    #expect(found.classCount == 2 && Array(found.probabilities(ofTile: 1)) == [1, 0])
    #expect(found.means == [0.625, 0.375])
    // The weights of the columns are 1, 2, 2, 1 in each tile. In the overlap, the tiles have the weights 2 and 1, then
    // 1 and 2.
    let row = found.map(ofClass: 1)[..<6].map { ($0 * 1024).rounded() / 1024 }
    #expect(row == [0.75, 0.75, 0.5, 0.25, 0, 0] && found.map(ofClass: 1).count == 24)
  }
}
