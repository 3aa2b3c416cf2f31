import ApusDevice
import CSIMD

/// A convolution of 3 × 3 taps with stride 1 and channels last, by products of transformed tiles: 36 products of
/// matrices take the place of 144 multiply-adds of each tile of 4 × 4 results.
///
/// An error is some ten times that of the direct sums, `≈ 5·10⁻⁶` of the largest result; the tolerance of a sum of so
/// many terms is several times that.
struct WinogradGeometry {
  /// Products of numbers for each tile and pair of channels.
  static let spots = 36
  private static let side = 4
  private static let leastChannels = 32
  private static let leastTiles = 32
  /// What transforms and longer ways through memory cost: products have to be so many times fewer.
  private static let overhead = 1.5

  let images: Int
  let source: WindowGeometry.Extent
  let results: WindowGeometry.Extent
  let tilesOfImage: (rows: Int, columns: Int)
  /// Where a patch of the source begins before its tile's first result.
  let lead: (y: Int, x: Int)
  let isFlipped: Bool

  /// The geometry of a pass, or `nil` where direct sums are faster. Tiles are those of the pass's result, of the output
  /// for a weight's gradient.
  init?(_ g: ConvolutionGeometry, pass: Convolution.Pass) {
    isFlipped = pass == .inputGradient
    let input = WindowGeometry.Extent(height: g.input.y, width: g.input.z, channels: g.inputChannels)
    let output = WindowGeometry.Extent(height: g.output.y, width: g.output.z, channels: g.outputChannels)
    (source, results) = isFlipped ? (output, input) : (input, output)
    images = g.batch * g.input.x
    lead = isFlipped ? (2 - g.padding.y, 2 - g.padding.z) : (g.padding.y, g.padding.z)
    tilesOfImage = ((results.height + Self.side - 1) / Self.side, (results.width + Self.side - 1) / Self.side)
    guard g.kernel == SIMD3(1, 3, 3), g.stride == SIMD3(1, 1, 1), g.dilation == SIMD3(1, 1, 1),
      min(source.channels, results.channels) >= Self.leastChannels,
      source.channels % 16 == 0, results.channels % 16 == 0, tileCount >= Self.leastTiles
    else { return nil }
    let direct = WindowGeometry(g, pass: pass).tapCountOfImage
    let products = tilesOfImage.rows * tilesOfImage.columns * Self.spots
    guard Double(products) * Self.overhead <= Double(direct) else { return nil }
  }

  var tilesPerImage: Int { tilesOfImage.rows * tilesOfImage.columns }
  var tileCount: Int { images * tilesPerImage }

  /// The distance of tiles: lines of a power of two would share the same places of a cache.
  static func pitch(_ channels: Int) -> Int { channels + 16 }

  var sourceTiles: csimd_winograd { tiles(source, lead: lead) }
  var resultTiles: csimd_winograd { tiles(results, lead: (0, 0)) }

  private func tiles(_ extent: WindowGeometry.Extent, lead: (y: Int, x: Int)) -> csimd_winograd {
    csimd_winograd(
      height: extent.height, width: extent.width, channels: extent.channels, tiles_y: tilesOfImage.rows,
      tiles_x: tilesOfImage.columns, lead_y: lead.y, lead_x: lead.x)
  }
}
