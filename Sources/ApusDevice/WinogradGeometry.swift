/// The tiles of a convolution of 3 × 3 taps with stride 1 and channels last, by products of transformed tiles, see
/// `Kernels/prelude/winograd.h`: 36 products of matrices take the place of 144 multiply-adds of each tile of 4 × 4
/// results.
///
/// An error is some ten times that of the direct sums, `≈ 5·10⁻⁶` of the largest result; the tolerance of a sum of so
/// many terms is several times that.
package struct WinogradGeometry: Sendable {
  /// Images `[height, width, channels]`.
  package struct Extent: Sendable {
    package var height: Int
    package var width: Int
    package var channels: Int

    /// Numbers of a row of pixels, and of an image.
    package var row: Int { width * channels }
    package var image: Int { height * row }
  }

  /// Products of numbers for each tile and pair of channels.
  package static let spots = 36
  private static let side = 4
  private static let leastChannels = 32
  /// What transforms and longer ways through memory cost: products have to be so many times fewer than those of direct
  /// sums.
  package static let overhead = 1.5

  package let images: Int
  package let source: Extent
  package let results: Extent
  package let tilesOfImage: (down: Int, across: Int)
  /// Where a patch of the source begins before its tile's first result.
  package let lead: (down: Int, across: Int)
  /// Whether taps come the other way round: those of an input's gradient.
  package let isFlipped: Bool

  /// The geometry of a pass, or `nil` where there are other taps or few channels. Tiles are those of the pass's result,
  /// of the output for a weight's gradient.
  package init?(_ g: ConvolutionGeometry, pass: Convolution.Pass) {
    guard g.kernel == SIMD3(1, 3, 3), g.stride == SIMD3(1, 1, 1), g.dilation == SIMD3(1, 1, 1), g.groups == 1,
      g.padding.x == 0, g.output.x == g.input.x, min(g.inputChannels, g.outputChannels) >= Self.leastChannels
    else { return nil }
    isFlipped = pass == .inputGradient
    let input = Extent(height: g.input.y, width: g.input.z, channels: g.inputChannels)
    let output = Extent(height: g.output.y, width: g.output.z, channels: g.outputChannels)
    (source, results) = isFlipped ? (output, input) : (input, output)
    images = g.batch * g.input.x
    lead = isFlipped ? (2 - g.padding.y, 2 - g.padding.z) : (g.padding.y, g.padding.z)
    tilesOfImage = ((results.height + Self.side - 1) / Self.side, (results.width + Self.side - 1) / Self.side)
  }

  package var tilesPerImage: Int { tilesOfImage.down * tilesOfImage.across }
  package var tileCount: Int { images * tilesPerImage }

  /// The distance of tiles: lines of a power of two would share the same places of a cache.
  package static func pitch(_ channels: Int) -> Int { (channels + 15) / 16 * 16 + 16 }
}
