import ApusDevice
import CSIMD

/// A convolution with stride 1 on padded planes.
///
/// A strip, some rows of one plane of the result, is computed from a buffer that holds the rows its taps
/// read, padded with zeros: `[channels, kernel planes, rows, padded width]`. Pixel `p` of the strip is at
/// row `p / width`, column `p mod width`; a tap reads at a fixed distance from it. Columns from the result's
/// width on are gaps.
struct PlaneGeometry {
  let batch: Int
  let groups: Int
  /// Of all groups together.
  let sourceChannels: Int
  let resultChannels: Int
  let source: SIMD3<Int>
  let result: SIMD3<Int>
  let kernel: SIMD3<Int>
  let dilation: SIMD3<Int>
  /// Where the source begins in its padded version; negative where its first elements are cut off.
  let lead: SIMD3<Int>
  let isFlipped: Bool
  /// Source channels of a padded buffer: those of a group.
  let paddedChannels: Int
  /// Rows of a strip, and strips of a plane.
  let stripRows: Int
  let stripCount: Int

  /// Bytes of a strip's source and result, to stay in a second-level cache.
  private static let stripByteCount = 400_000

  /// The geometry of a pass, or `nil` where another method is better.
  init?(_ g: ConvolutionGeometry, pass: Convolution.Pass, dtype: DType) {
    // Single pixels of many channels are products of matrices.
    let isProduct = g.kernel.wrappedProduct == 1 && g.inputChannels > 4 * g.groups
    guard dtype.lane == .float32, g.stride == SIMD3(1, 1, 1), !isProduct else { return nil }
    batch = g.batch
    groups = g.groups
    kernel = g.kernel
    dilation = g.dilation
    isFlipped = pass == .inputGradient
    let reach = (g.kernel &- 1) &* g.dilation
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
    // Images have the results of all groups side by side, gradients of weights those of one.
    let row = inner + resultChannels / (pass == .weightGradient ? groups : 1) * width * 4
    let rows = max(4, (Self.stripByteCount - reach.y * inner) / max(1, row))
    // Strips of equal height, a little more than fits where that saves one.
    let strips = max(1, (result.y * 4 + rows * 5 - 1) / (rows * 5))
    stripRows = max(1, (result.y + strips - 1) / strips)
    stripCount = (result.y + stripRows - 1) / stripRows
    guard result.wrappedProduct > 0, batch > 0, fillsVectors,
      pass == .weightGradient ? hasLongSums : hasNearWeights
    else { return nil }
  }

  /// Vectors must not be spent on gaps and tails.
  private var fillsVectors: Bool {
    stripRows * result.z >= vectorCount(rows: stripRows) * 8
  }

  /// Whether more than a fifth of the numbers of an output's vectors are gaps between rows, or lie behind the last one.
  var hasGaps: Bool { !isFlipped && stripRows * result.z * 5 < vectorCount(rows: stripRows) * 16 * 4 }

  /// The weights are read once for each strip: from a second-level cache, or for many pixels.
  private var hasNearWeights: Bool {
    let byteCount = resultChannels * tapCount * 4
    return byteCount <= 600_000 || stripRows * result.z >= 128
  }

  /// The sums of a weight gradient are read and written, and the source padded, once for each strip; without planes its
  /// windows would be copied one by one, which takes as long as some channels of results.
  private var hasLongSums: Bool {
    let vectors = vectorCount(rows: stripRows)
    let padding = paddedChannels * kernel.x * (paddedRows * 20 + paddedRows * width / 4)
    return vectors >= 6 && padding * 4 <= (gradientChannelGrain + 8) * tapCount * vectors
  }

  /// Result channels, all in one group, whose sums stay in a cache: the nearer the fewer pixels there are.
  var gradientChannelGrain: Int {
    let byteCount = 400_000 * max(1, vectorCount(rows: stripRows) / 16)
    return min(resultChannels / groups, max(4, byteCount / max(1, tapCount * 64) / 4 * 4))
  }

  /// Whether each channel has a filter of 3 × 3 taps of its own, and rows fill vectors: `depthwise_multiply` computes
  /// results where they lie, and reads each pixel once for all rows of taps.
  var isDepthwise: Bool {
    groups == sourceChannels && groups == resultChannels && kernel == SIMD3(1, 3, 3) && dilation == SIMD3(1, 1, 1)
      && result.z >= 16
  }

  /// Whether the rows of such results are computed from pixels where they lie, as many as the results, with zeros around.
  func readsInPlace(_ dtype: DType) -> Bool {
    isDepthwise && dtype == .float32 && source.z == result.z && lead == SIMD3(0, 1, 1) && source.x == result.x
  }

  var width: Int { result.z + (kernel.z - 1) * dilation.z }
  var paddedRows: Int { stripRows + (kernel.y - 1) * dilation.y }
  var tapCount: Int { kernel.wrappedProduct * sourceChannels / groups }
  var paddedChannelSize: Int { kernel.x * paddedRows * width }
  /// Numbers of the padded buffer; the last vector reads past the last pixel.
  var paddedSize: Int { paddedChannels * paddedChannelSize + 32 }
  /// Distance of channels in a strip's result.
  var stripSize: Int { vectorCount(rows: stripRows) * 16 }

  func vectorCount(rows: Int) -> Int { ((rows - 1) * width + result.z + 15) / 16 }

  /// The distance of each tap of a group, channel by channel.
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

  /// Strips of one image.
  var piecesPerImage: Int { result.x * stripCount }

  /// The plane and the rows of a strip of an image.
  func piece(_ index: Int) -> (plane: Int, rows: Range<Int>) {
    let (plane, strip) = index.quotientAndRemainder(dividingBy: stripCount)
    return (plane, (strip * stripRows)..<min((strip + 1) * stripRows, result.y))
  }

  /// Copies what the taps of a strip read, from channel `firstChannel` on, into the padded buffer, whose
  /// padding is zero already or, with `clears`, is made so.
  func pad(
    _ image: UnsafeMutableRawPointer, firstChannel: Int = 0, plane: Int, rows: Range<Int>,
    into buffer: UnsafeMutablePointer<Float>,
    _ copier: RowCopier, clears: Bool
  ) {
    if clears { buffer.update(repeating: 0, count: paddedSize) }
    let columns = max(0, -lead.z)..<max(0, -lead.z, min(source.z, width - lead.z))
    let firstRow = rows.lowerBound - lead.y
    let endRow = firstRow + rows.count + (kernel.y - 1) * dilation.y
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
