import ApusDevice
import ApusCSIMD
import ApusSystem

/// A convolution as products with the matrix of its windows ("im2col"), for any stride, dilation, number of groups and
/// type. Small images share a matrix; a large image has one matrix for each block of rows.
struct UnfoldedGeometry {
  let g: ConvolutionGeometry
  let lane: Lane
  let dtype: DType
  /// Images per matrix.
  let imageGrain: Int
  /// Rows of the result per matrix; a row is one position of the two outer spatial axes.
  let rowGrain: Int
  let load: csimd_load
  var windows: csimd_windows

  /// The approximate limit for a matrix in bytes.
  private static let matrixByteCount = 600_000
  /// As many images share a matrix as have at most this number of result pixels together. If an image is split into
  /// blocks of rows, each block except the last has at least this number of result pixels.
  private static let leastPixels = 192

  init(_ step: Convolution, _ builder: StepBuilder) {
    g = step.geometry
    dtype = step.dtype
    lane = step.dtype.lane
    load = csimd_find_load(builder.loops, Int32(step.dtype.rawValue))
    let pixels = max(1, g.output.wrappedProduct)
    let rows = g.output.x * g.output.y
    let taps = g.inputChannels / g.groups * g.kernel.wrappedProduct
    imageGrain = max(1, min(g.batch, Self.leastPixels / pixels))
    let rowByteCount = max(1, taps * g.output.z * step.dtype.lane.byteCount)
    let leastRows = ceilDivide(Self.leastPixels, max(1, g.output.z))
    rowGrain = imageGrain > 1 ? rows : max(1, min(rows, max(leastRows, Self.matrixByteCount / rowByteCount)))
    func extents(_ v: SIMD3<Int>) -> (Int, Int, Int) { (v.x, v.y, v.z) }
    windows = csimd_windows(
      channels: g.inputChannels / g.groups, input: extents(g.input), kernel: extents(g.kernel),
      output: extents(g.output), stride: extents(g.stride), padding: extents(g.padding),
      dilation: extents(g.dilation))
  }

  /// Whether an image in memory is its own matrix of windows.
  var isInPlace: Bool { g.isPointwise && dtype.isLane && imageGrain == 1 }

  var pixels: Int { g.output.wrappedProduct }
  var rows: Int { g.output.x * g.output.y }
  /// The number of taps of all input channels of a group. A matrix of windows has a row for each of them.
  var tapCount: Int { windows.channels * g.kernel.wrappedProduct }
  /// Input channels of a group.
  var inputs: Int { g.inputChannels / g.groups }
  /// Output channels of a group.
  var outputs: Int { g.outputChannels / g.groups }
  var inputSize: Int { g.input.wrappedProduct }
  var imageBlocks: Int { ceilDivide(g.batch, imageGrain) }
  var rowBlocks: Int { ceilDivide(rows, max(1, rowGrain)) }
  var matrixPixels: Int { imageGrain * rowGrain * g.output.z }

  func images(_ block: Int) -> Range<Int> {
    blockRange(block, size: imageGrain, count: g.batch)
  }
  func rows(_ block: Int) -> Range<Int> { blockRange(block, size: rowGrain, count: rows) }

  // MARK: - Temporary memory

  private func bytes(_ count: Int) -> Int { roundUp(count * lane.byteCount, toMultipleOf: 64) }
  /// The bytes of a matrix of windows.
  var linesByteCount: Int { bytes(tapCount * pitch(matrixPixels)) }
  /// The bytes of the output pixels that belong to a matrix, in the channels of one group.
  var pixelsByteCount: Int { bytes(outputs * matrixPixels) }
  /// The bytes of one group's channels of an image, in the arithmetic type (`lane`).
  var imageByteCount: Int { bytes(inputs * inputSize) }
  /// The bytes of a copy of all weights in the arithmetic type; 0 if the weights are already stored in this type.
  var weightsByteCount: Int { dtype.isLane ? 0 : bytes(g.outputChannels * tapCount) }

  /// The row stride of a matrix with this number of pixels: a multiple of 16 elements, but not of 64, so that the same
  /// columns of consecutive rows map to different cache sets.
  private func pitch(_ pixels: Int) -> Int {
    let whole = roundUp(pixels, toMultipleOf: 16)
    return whole % 64 == 0 ? whole + 16 : whole
  }

  // MARK: - Matrices

  /// Returns the windows of some rows of the result, for a range of images and one group of channels, with the images
  /// side by side. An image that has to be converted is stored in `scratch`.
  func unfold(
    _ input: UnsafeMutableRawPointer, _ images: Range<Int>, group: Int, _ rows: Range<Int>,
    into lines: UnsafeMutableRawPointer, scratch: UnsafeMutableRawPointer
  ) -> OpenBLASProduct.Factor {
    let width = rows.count * g.output.z
    if isInPlace {
      let first = (images.lowerBound * g.inputChannels + group * inputs) * inputSize
      return OpenBLASProduct.Factor(
        input + (first + rows.lowerBound * g.output.z) * lane.byteCount, leading: inputSize)
    }
    let pitch = pitch(images.count * width)
    withUnsafePointer(to: windows) { windows in
      for (number, image) in images.enumerated() {
        let first = (image * g.inputChannels + group * inputs) * inputSize
        var source = input + first * dtype.byteCount
        if !dtype.isLane {
          load(inputs * inputSize, scratch, source, 1)
          source = scratch
        }
        csimd_unfold(
          windows, Int32(lane.byteCount), source, rows.lowerBound, rows.upperBound,
          lines + number * width * lane.byteCount, pitch)
      }
    }
    return OpenBLASProduct.Factor(lines, leading: pitch)
  }

  /// The memory that the windows of the next image read, to be prefetched. Empty if there is no next image, or if an
  /// image is not exactly one matrix.
  func imageAhead(_ input: UnsafeRawPointer, _ images: Range<Int>, group: Int) -> csimd_prefetch_block {
    guard imageGrain == 1, rowBlocks == 1, images.upperBound < g.batch, g.input.z > 0 else {
      return csimd_prefetch_block()
    }
    let first = (images.upperBound * g.inputChannels + group * inputs) * inputSize
    // Rows that lie between windows are skipped.
    let step = max(1, g.stride.y)
    let rows = g.padding.y == 0 && g.input.y % step == 0 ? min(step, g.kernel.y) : step
    return csimd_prefetch_block(
      data: input + first * dtype.byteCount, distance: step * g.input.z * dtype.byteCount,
      count: inputSize * inputs / (step * g.input.z), length: rows * g.input.z * dtype.byteCount)
  }

  /// Returns rows of the output's gradient, for a range of images and a range of one group's output channels, with the
  /// images side by side. The rows are read in place if they already have this layout, otherwise they are copied.
  func collect(
    _ gradient: UnsafeMutableRawPointer, _ images: Range<Int>, group: Int, channels: Range<Int>,
    _ rows: Range<Int>, into scratch: UnsafeMutableRawPointer
  ) -> OpenBLASProduct.Factor {
    func position(_ image: Int, _ channel: Int) -> Int {
      (image * g.outputChannels + group * outputs + channel) * pixels + rows.lowerBound * g.output.z
    }
    let width = rows.count * g.output.z
    if dtype.isLane && images.count == 1 {
      let first = position(images.lowerBound, channels.lowerBound)
      return OpenBLASProduct.Factor(gradient + first * lane.byteCount, leading: pixels)
    }
    for (number, image) in images.enumerated() {
      for (line, channel) in channels.enumerated() {
        load(
          width, scratch + (line * images.count + number) * width * lane.byteCount,
          gradient + position(image, channel) * dtype.byteCount, 1)
      }
    }
    return OpenBLASProduct.Factor(scratch, leading: images.count * width)
  }

  /// The weights in the arithmetic type: read in place, or converted to a copy in the shared memory.
  func weights(_ value: Int, _ context: borrowing RunContext) -> UnsafeMutableRawPointer {
    guard !dtype.isLane else { return context.address(value) }
    load(g.outputChannels * tapCount, context.shared, context.address(value), 1)
    return context.shared
  }
}
