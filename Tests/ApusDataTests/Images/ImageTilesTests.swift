import Testing

@testable import ApusData

struct ImageTilesTests {
  private func planes(_ image: Image) -> [Float] {
    var bytes = [UInt8](repeating: 0, count: image.pixels.count)
    bytes.withUnsafeMutableBufferPointer { image.writePlanes(image.channels, to: $0.baseAddress!) }
    return bytes.map(Float.init)
  }

  @Test(arguments: [(40, 50, 16, 4), (16, 16, 16, 0), (17, 33, 16, 15), (5, 40, 16, 8), (1, 1, 4, 3), (64, 64, 16, 0)])
  func stitchedTilesGiveTheImage(height: Int, width: Int, side: Int, overlap: Int) {
    let image = ImageFileTests.scene(height, width, 3)
    let tiles = ImageTiles(image.size, tile: ImageSize(height: side, width: side), overlap: overlap)
    let parts = tiles.tiles(of: image)
    #expect(parts.count == tiles.count && parts.allSatisfy { $0.size == tiles.tile })
    let stitched = tiles.stitched(parts.map(planes), channels: 3)
    #expect(zip(stitched, planes(image)).allSatisfy { abs($0 - $1) < 1e-3 })
    let made = tiles.stitched(channels: 3) { planes(parts[$0])[$1] }
    #expect(made == stitched && tiles.tile(parts.count - 1, of: image).pixels == parts.last?.pixels)
    for (one, other) in zip(tiles.origins, tiles.origins.dropFirst()) where one.top == other.top {
      #expect(one.left + side - other.left >= overlap)
    }
  }

  /// Two tiles of width 6 in an image of width 10. Both tiles contain columns 4 and 5. With a minimum overlap of 1, the
  /// weight of the first tile is 2/3 in column 4 and 1/3 in column 5.
  @Test func overlapsAreWeighted() {
    let tiles = ImageTiles(ImageSize(height: 1, width: 10), tile: ImageSize(height: 1, width: 6), overlap: 0)
    #expect(tiles.origins.map(\.left) == [0, 4])
    let wide = ImageTiles(ImageSize(height: 1, width: 10), tile: ImageSize(height: 2, width: 6), overlap: 1)
    #expect(wide.origins.map(\.left) == [0, 4])
    let ones = [Float](repeating: 1, count: 12)
    let zeros = [Float](repeating: 0, count: 12)
    let stitched = wide.stitched([zeros, ones], channels: 1)
    #expect(zip(stitched, [0, 0, 0, 0, 1 / 3, 2 / 3, 1, 1, 1, 1]).allSatisfy { abs($0 - $1) < 1e-6 }, "\(stitched)")
  }
}
