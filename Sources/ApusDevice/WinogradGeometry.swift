import ApusSystem

/// The tiles of a Winograd convolution F(4 × 4, 3 × 3) with stride 1 and channels last, see
/// `Kernels/prelude/winograd.h`. For each tile of 4 × 4 results and each pair of a source and a result channel, 36
/// multiply-adds, one in each of 36 matrix products, replace 144 multiply-adds.
///
/// The error is about `5·10⁻⁶` of the largest result, ten times the error of direct sums. The tolerance that the tests
/// allow for sums with the same number of terms is several times larger.
package struct WinogradGeometry: Sendable {
  /// The extents of an image `[height, width, channels]`.
  package struct Extent: Sendable {
    package var height: Int
    package var width: Int
    package var channels: Int

    /// The number of elements of a row of pixels, and of an image.
    package var row: Int { width * channels }
    package var image: Int { height * row }
  }

  /// The number of multiplications for each tile and pair of channels.
  package static let positions = 36
  private static let side = 4
  private static let leastChannels = 32
  /// Winograd must divide the number of multiplications by at least this number, because its transforms and its memory
  /// traffic take time too.
  package static let overhead = 1.5

  package let images: Int
  package let source: Extent
  package let results: Extent
  package let tilesOfImage: (down: Int, across: Int)
  /// The patch of source pixels that a tile reads begins this many pixels above (`down`) and to the left (`across`) of
  /// the tile's first result.
  package let lead: (down: Int, across: Int)
  /// Whether the kernel is flipped along both axes, as for the gradient of the input.
  package let isFlipped: Bool

  /// The geometry of a pass. It is `nil` if the kernel is not 1 × 3 × 3, if the stride or the dilation is not 1, if the
  /// depth is padded, if there are several groups, or if there are few channels. The tiles divide the result of the
  /// pass; for the weight gradient, they divide the output of the forward convolution.
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
    tilesOfImage = (ceilDivide(results.height, Self.side), ceilDivide(results.width, Self.side))
  }

  package var tilesPerImage: Int { tilesOfImage.down * tilesOfImage.across }
  package var tileCount: Int { images * tilesPerImage }

  /// The distance between tiles in elements. 16 elements are added, because with 64, 128 or 256 channels, tiles would
  /// otherwise be at a distance of 2ⁿ elements and map to the same cache sets.
  package static func pitch(_ channels: Int) -> Int { roundUp(channels, toMultipleOf: 16) + 16 }
}
