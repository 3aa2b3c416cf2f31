import ApusDevice
import ApusCSIMD

extension WinogradGeometry {
  private static let leastTiles = 32

  /// The geometry of a pass (the output or one of the two gradients) that is worth computing with Winograd transforms.
  /// `nil` if the pass has no Winograd form, its channels do not fill whole vectors, it has fewer than `leastTiles`
  /// tiles, or it saves too few multiplications (see `overhead`).
  static func profitable(_ g: ConvolutionGeometry, pass: Convolution.Pass) -> WinogradGeometry? {
    guard let geometry = WinogradGeometry(g, pass: pass), geometry.source.channels % 16 == 0,
      geometry.results.channels % 16 == 0, geometry.tileCount >= leastTiles
    else { return nil }
    let direct = WindowGeometry(g, pass: pass).tapCountOfImage
    return Double(geometry.tilesPerImage * positions) * overhead <= Double(direct) ? geometry : nil
  }

  var sourceTiles: csimd_winograd { tiles(source, lead: lead) }
  var resultTiles: csimd_winograd { tiles(results, lead: (0, 0)) }

  private func tiles(_ extent: Extent, lead: (down: Int, across: Int)) -> csimd_winograd {
    csimd_winograd(
      height: extent.height, width: extent.width, channels: extent.channels, tiles_y: tilesOfImage.down,
      tiles_x: tilesOfImage.across, lead_y: lead.down, lead_x: lead.across)
  }
}
