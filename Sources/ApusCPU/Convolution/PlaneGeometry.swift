import ApusDevice
import ApusCSIMD
import ApusSystem

/// A convolution with stride 1 on padded planes. A plane is one depth of a volume; an image has one plane.
///
/// A strip is a range of rows of one plane of the result. It is computed from a buffer with the rows that its taps (the
/// positions in the kernel) read, padded with zeros: `[channels, kernel planes, rows, width]`, where `width` is the
/// padded width. Pixel `p` of the strip is at row `p / width`, column `p mod width`, and each tap reads the buffer at a
/// constant offset from `p`. Columns at or beyond the result's width are gaps: they are computed, but are not
/// part of the result.
struct PlaneGeometry {
  let batch: Int
  let groups: Int
  /// The source channels of all groups.
  let sourceChannels: Int
  /// The result channels of all groups.
  let resultChannels: Int
  let source: SIMD3<Int>
  let result: SIMD3<Int>
  let kernel: SIMD3<Int>
  let dilation: SIMD3<Int>
  /// The offset of the source in the padded plane; negative if the first elements of the source are cropped.
  let lead: SIMD3<Int>
  let isFlipped: Bool
  /// The channels of a padded buffer: the source channels of one group.
  let paddedChannels: Int
  /// Rows per strip; the last strip of a plane may have fewer.
  let stripRows: Int
  /// Strips per plane.
  let stripCount: Int

  /// The approximate limit for the bytes of a strip's source and result, which should stay in an L2 cache.
  private static let stripByteCount = 400_000

  /// The geometry of a pass; `nil` if the result is empty, the arithmetic type (lane) is not `float32`, the stride is
  /// not 1, or the pass is a matrix product. The pass must also meet `fillsVectors`. In addition, a weight gradient
  /// must meet `hasLongSums`, and the other passes must meet `hasNearWeights`.
  init?(_ g: ConvolutionGeometry, pass: Convolution.Pass, dtype: DType) {
    // A 1 × 1 kernel over more than four input channels per group is computed as a matrix product.
    let isProduct = g.kernel.wrappedProduct == 1 && g.inputChannels > 4 * g.groups
    guard dtype.lane == .float32, g.stride == SIMD3(1, 1, 1), !isProduct else { return nil }
    batch = g.batch
    groups = g.groups
    kernel = g.kernel
    dilation = g.dilation
    isFlipped = pass == .inputGradient
    let reach = WindowPositions.span(kernel: g.kernel, dilation: g.dilation) &- 1
    if isFlipped {
      (sourceChannels, resultChannels) = (g.outputChannels, g.inputChannels)
      (source, result) = (g.output, g.input)
      lead = reach &- g.padding
    } else {
      (sourceChannels, resultChannels) = (g.inputChannels, g.outputChannels)
      (source, result) = (g.input, g.output)
      lead = g.padding
    }
    paddedChannels = sourceChannels / groups
    let width = result.z + reach.z
    let inner = paddedChannels * g.kernel.x * width * 4
    // The bytes of a strip's source and result, per row. A strip of the output or of the input gradient has the result
    // channels of all groups. A strip of the weight gradient has the result channels of one group.
    let row = inner + resultChannels / (pass == .weightGradient ? groups : 1) * width * 4
    let rows = max(4, (Self.stripByteCount - reach.y * inner) / max(1, row))
    // All strips of a plane except the last have equal heights. They have up to a quarter more rows than fit into
    // `stripByteCount` if this reduces the number of strips.
    let strips = max(1, ceilDivide(result.y * 4, rows * 5))
    stripRows = max(1, ceilDivide(result.y, strips))
    stripCount = ceilDivide(result.y, stripRows)
    guard result.wrappedProduct > 0, batch > 0, fillsVectors,
      pass == .weightGradient ? hasLongSums : hasNearWeights
    else { return nil }
  }

  /// Whether at least half of the vector lanes contain pixels; the others are gaps, or lie after the last pixel.
  private var fillsVectors: Bool {
    stripRows * result.z >= vectorCount(rows: stripRows) * 8
  }

  /// Whether more than a fifth of the vector lanes are gaps between rows or lie past the last row; `false` for the
  /// input gradient.
  var hasGaps: Bool { !isFlipped && stripRows * result.z * 5 < vectorCount(rows: stripRows) * 16 * 4 }

  /// Whether weights, which are read once for each strip, fit into an L2 cache or are reused for many pixels.
  private var hasNearWeights: Bool {
    let byteCount = resultChannels * tapCount * 4
    return byteCount <= 600_000 || stripRows * result.z >= 128
  }

  /// Whether strips of a weight gradient have enough pixels to outweigh their overhead: each strip reads and writes all
  /// sums and pads the source. The alternative, im2col, copies each window, which takes about as long as the products
  /// of eight result channels.
  private var hasLongSums: Bool {
    let vectors = vectorCount(rows: stripRows)
    let padding = paddedChannels * kernel.x * (paddedRows * 20 + paddedRows * width / 4)
    return vectors >= 6 && padding * 4 <= (gradientChannelGrain + 8) * tapCount * vectors
  }

  /// For a weight gradient: the number of result channels of one group whose sums stay in a cache. Each strip reads and
  /// writes all sums. The fewer pixels the strips have, the more often the sums are read and written. So the sums of
  /// small strips get fewer bytes, to stay in a cache nearer to the core.
  var gradientChannelGrain: Int {
    let byteCount = 400_000 * max(1, vectorCount(rows: stripRows) / 16)
    return min(resultChannels / groups, max(4, byteCount / max(1, tapCount * 64) / 4 * 4))
  }

  /// Whether the convolution is depthwise with 3 × 3 taps, and a row fills at least one vector. If so,
  /// `depthwise_multiply` writes the results without gaps, and reads each pixel once for all rows of taps.
  var isDepthwise: Bool {
    groups == sourceChannels && groups == resultChannels && kernel == SIMD3(1, 3, 3) && dilation == SIMD3(1, 1, 1)
      && result.z >= 16
  }

  /// Whether depthwise results are computed from the unpadded image. The image must be as wide as the result, and the
  /// padding must be one column on each side and one row before the first row.
  func readsInPlace(_ dtype: DType) -> Bool {
    isDepthwise && dtype == .float32 && source.z == result.z && lead == SIMD3(0, 1, 1) && source.x == result.x
  }

  var width: Int { reach(of: result.z, axis: 2) }
  var paddedRows: Int { reach(of: stripRows, axis: 1) }
  /// The number of taps of all source channels of a group.
  var tapCount: Int { kernel.wrappedProduct * sourceChannels / groups }
  var paddedChannelSize: Int { kernel.x * paddedRows * width }
  /// Elements of the padded buffer, with slack because the last vector reads past the last pixel.
  var paddedSize: Int { paddedChannels * paddedChannelSize + 32 }
  /// The channel stride of a strip's result.
  var stripSize: Int { vectorCount(rows: stripRows) * 16 }

  /// The extent of the padded source that `count` consecutive results read along an axis.
  private func reach(of count: Int, axis: Int) -> Int {
    WindowPositions.reach(of: count, kernel: kernel[axis], stride: 1, dilation: dilation[axis])
  }

  func vectorCount(rows: Int) -> Int { ceilDivide((rows - 1) * width + result.z, 16) }

  /// The offset of each tap of a group, channel by channel.
  var tapOffsets: [Int] {
    var offsets: [Int] = []
    offsets.reserveCapacity(tapCount)
    for channel in 0..<(sourceChannels / groups) {
      for z in 0..<kernel.x {
        for y in 0..<kernel.y {
          for x in 0..<kernel.z {
            let row = z * paddedRows + y * dilation.y
            offsets.append(channel * paddedChannelSize + row * width + x * dilation.z)
          }
        }
      }
    }
    return offsets
  }

  /// The number of strips in all planes of an image.
  var stripsPerImage: Int { result.x * stripCount }

  /// The plane and the rows of a strip of an image.
  func strip(_ index: Int) -> (plane: Int, rows: Range<Int>) {
    let (plane, strip) = index.quotientAndRemainder(dividingBy: stripCount)
    return (plane, blockRange(strip, size: stripRows, count: result.y))
  }

  /// Fills the padded buffer with the pixels that the taps of a strip read, in `paddedChannels` channels from
  /// `firstChannel` on. With `clears`, the buffer is set to zero first; otherwise its padding must be zero already.
  func pad(
    _ image: UnsafeMutableRawPointer, firstChannel: Int = 0, plane: Int, rows: Range<Int>,
    into buffer: UnsafeMutablePointer<Float>,
    _ copier: RowCopier, clears: Bool
  ) {
    if clears { buffer.update(repeating: 0, count: paddedSize) }
    let columns = max(0, -lead.z)..<max(0, -lead.z, min(source.z, width - lead.z))
    let firstRow = rows.lowerBound - lead.y
    let endRow = firstRow + reach(of: rows.count, axis: 1)
    let sourceRows = max(0, firstRow)..<max(0, firstRow, min(source.y, endRow))
    guard !sourceRows.isEmpty, !columns.isEmpty else { return }
    for channel in 0..<paddedChannels {
      for z in 0..<kernel.x {
        let sourcePlane = plane + z * dilation.x - lead.x
        guard sourcePlane >= 0, sourcePlane < source.x else { continue }
        let from = (((firstChannel + channel) * source.x + sourcePlane) * source.y + sourceRows.lowerBound) * source.z
        let toRow = z * paddedRows + sourceRows.lowerBound - firstRow
        copier.copy(
          sourceRows.count, columns.count, image, from + columns.lowerBound, stride: source.z,
          to: buffer + channel * paddedChannelSize + toRow * width + lead.z + columns.lowerBound,
          stride: width)
      }
    }
  }
}
