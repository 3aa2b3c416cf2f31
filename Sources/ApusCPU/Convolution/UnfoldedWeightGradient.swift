import ApusDevice
import ApusCSIMD
import ApusSystem

/// The gradient of a convolution's weights by im2col: the output's gradient as a matrix `[outputs, pixels]`, times the
/// windows of the input as a matrix `[pixels, taps]`. The images are divided into parts; the number of parts depends
/// only on the shape. The partial results of the parts are added in order.
///
/// In floating point, the right factor of a product is packed, that is, copied in the order in which the micro-kernel
/// reads it. The left factor is read in place, unless it is the output's gradient and its rows would map to the same
/// cache set: then it is packed, too. A part computes the transposed product `[taps, outputs]`, with the windows as the
/// left factor, if (a) windows are read in place, (b) a task has all output channels of a group, and (c) the taps of a
/// group, counted over all its input channels, are at least twice as many as its output channels. The sum of the parts
/// is then transposed back.
final class UnfoldedWeightGradientStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let geometry: UnfoldedGeometry
  private let product: OpenBLASProduct
  /// `nil` for integers.
  private let kernels: BlockKernels?
  private let epilogue: EpilogueKernel
  private let input: Int
  private let gradient: Int
  private let merger: PartMerger
  private let partCount: Int
  /// Output channels per task, all of one group.
  private let channelGrain: Int
  /// Whether each part computes the transposed product.
  private let isTransposed: Bool
  private let transpose: Transpose

  private typealias Transpose =
    @convention(c) (Int, Int, UnsafeRawPointer?, Int, UnsafeMutableRawPointer?, Int) -> Void

  /// Pixels per block of a transposed product. The windows of a block are read once for each panel of outputs and stay
  /// in an L2 cache.
  private static let pixelsOfBlock = 512

  init(_ step: Convolution, _ builder: StepBuilder) throws(DeviceError) {
    geometry = UnfoldedGeometry(step, builder)
    product = OpenBLASProduct(geometry.lane, builder)
    kernels = step.dtype.isFloatingPoint ? BlockKernels(geometry.lane, builder) : nil
    epilogue = try EpilogueKernel(step.epilogue, lanes: [geometry.lane], builder)
    (input, gradient) = (step.left, step.right)
    let weightCount = max(1, step.geometry.outputChannels * geometry.tapCount)
    let limit = min(
      geometry.imageBlocks, step.geometry.multiplyAdds / 2_000_000, 8, 10_000_000 / weightCount)
    // The number of parts is a power of two, so that 2, 4 or 8 threads get equal numbers of parts (if there are at
    // least as many parts as threads).
    partCount = limit >= 8 ? 8 : limit >= 4 ? 4 : limit >= 2 ? 2 : 1
    merger = try PartMerger(count: weightCount, parts: partCount, lane: geometry.lane, builder)
    // If there are few parts and groups, the output channels are split among tasks.
    channelGrain =
      partCount * step.geometry.groups >= 4
      ? max(1, geometry.outputs) : max(1, min(geometry.outputs, max(64, geometry.outputs / 4)))
    isTransposed =
      kernels != nil && geometry.isInPlace && channelGrain == geometry.outputs
      && geometry.tapCount >= 2 * geometry.outputs
    let functions = builder.loops.pointee.transpose
    transpose = geometry.lane.byteCount == 4 ? functions.2! : functions.3!
    let productByteCount = Self.productByteCount(geometry, kernels, isTransposed: isTransposed)
    workspaceByteCount = max(
      geometry.linesByteCount + geometry.pixelsByteCount + max(geometry.imageByteCount, productByteCount),
      epilogue.workspaceByteCount)
    sharedByteCount = (partCount + (isTransposed ? 2 : 1)) * weightCount * geometry.lane.byteCount + 64
  }

  private var blockCount: Int { ceilDivide(geometry.outputs, channelGrain) }

  /// The number of tasks that compute products. `Int.max` if the epilogue (the fused elementwise operations) needs
  /// temporary memory too: the epilogue runs later in tasks of its own, so every worker may need memory.
  var taskCount: Int {
    epilogue.workspaceByteCount > 0 ? .max : partCount * geometry.g.groups * blockCount
  }

  private var weightCount: Int { geometry.g.outputChannels * geometry.tapCount }

  func run(_ context: borrowing RunContext) {
    guard weightCount > 0 else { return }
    let (partials, size) = (context.shared, geometry.lane.byteCount)
    let (input, gradient) = (context.address(input), context.address(gradient))
    let workspaces = context.workspaces
    let blocks = blockCount
    context.pool.run(partCount * geometry.g.groups * blocks) { task, worker in
      let (rest, block) = task.quotientAndRemainder(dividingBy: blocks)
      let (part, group) = rest.quotientAndRemainder(dividingBy: geometry.g.groups)
      let channels = blockRange(block, size: channelGrain, count: geometry.outputs)
      run(
        part, group, channels, of: input, gradient: gradient, to: partials + part * weightCount * size,
        workspace: workspaces[worker])
    }
    var core: UnsafeMutableRawPointer? =
      epilogue.target(context.frame) ?? partials + partCount * weightCount * size
    if isTransposed {
      let sums = partials + (partCount + 1) * weightCount * size
      merger.merge(context, partials, into: sums)
      transpose(sums, into: core!, context)
    } else {
      merger.merge(context, partials, into: core!)
    }
    epilogue.run(context, cores: &core)
  }

  /// Transposes `[taps, outputs]` of each group to `[outputs, taps]`.
  private func transpose(
    _ source: UnsafeMutableRawPointer, into target: UnsafeMutableRawPointer, _ context: borrowing RunContext
  ) {
    let (outputs, taps) = (geometry.outputs, geometry.tapCount)
    context.pool.run(geometry.g.groups) { group, _ in
      let first = group * outputs * taps * geometry.lane.byteCount
      transpose(outputs, taps, source + first, outputs, target + first, taps)
    }
  }

  private func run(
    _ part: Int, _ group: Int, _ channels: Range<Int>, of input: UnsafeMutableRawPointer,
    gradient: UnsafeMutableRawPointer, to partial: UnsafeMutableRawPointer, workspace: UnsafeMutableRawPointer
  ) {
    let size = geometry.lane.byteCount
    let result =
      partial + (group * geometry.outputs + channels.lowerBound) * geometry.tapCount * size
    result.initializeMemory(
      as: UInt8.self, repeating: 0, count: channels.count * geometry.tapCount * size)
    let pixelsStart = workspace + geometry.linesByteCount
    let blocks = partRange(part, of: partCount, count: geometry.imageBlocks)
    for block in blocks {
      let images = geometry.images(block)
      for rowBlock in 0..<geometry.rowBlocks {
        let rows = geometry.rows(rowBlock)
        let count = images.count * rows.count * geometry.g.output.z
        var lines = geometry.unfold(
          input, images, group: group, rows, into: workspace, scratch: pixelsStart + geometry.pixelsByteCount)
        lines.order.isTransposed = true
        let pixels = geometry.collect(
          gradient, images, group: group, channels: channels, rows, into: pixelsStart)
        let scratch = pixelsStart + geometry.pixelsByteCount
        if isTransposed, let kernels {
          multiplyTransposed(kernels, count, lines, pixels, result, scratch: scratch)
          continue
        }
        multiply(
          channels.count, count, pixels, lines, result, scratch: scratch,
          ahead: geometry.imageAhead(input, images, group: group))
      }
    }
  }

  /// Bytes of the packed factors of one product: a panel of windows, and all pixels of the output's gradient. If
  /// `isTransposed`, only a block of these pixels is packed.
  private static func productByteCount(
    _ geometry: UnfoldedGeometry, _ kernels: BlockKernels?, isTransposed: Bool
  ) -> Int {
    guard let kernels else { return 0 }
    if isTransposed {
      return kernels.panelByteCount(columns: geometry.outputs, k: min(pixelsOfBlock, geometry.matrixPixels))
    }
    return kernels.panelByteCount(columns: kernels.panelWidth, k: geometry.matrixPixels)
      + kernels.sliverByteCount(rows: geometry.outputs, k: geometry.matrixPixels)
  }

  /// Adds to `result` the output's gradient, for a block of channels, times the windows. Each element of the product is
  /// one accumulation chain: its terms are added one after another.
  private func multiply(
    _ channels: Int, _ count: Int, _ pixels: OpenBLASProduct.Factor, _ lines: OpenBLASProduct.Factor,
    _ result: UnsafeMutableRawPointer, scratch: UnsafeMutableRawPointer, ahead: csimd_prefetch_block
  ) {
    guard let kernels else {
      product.multiply(
        m: channels, n: geometry.tapCount, k: count, pixels, lines, result, leading: geometry.tapCount,
        accumulates: true)
      return
    }
    let size = geometry.lane.byteCount
    let a = BlockKernels.Factor(pointer: pixels.pointer, row: pixels.order.leading, column: 1)
    let slivers = scratch + kernels.panelByteCount(columns: kernels.panelWidth, k: count)
    // Rows whose distance is a multiple of the page size map to the same L1 cache set.
    let isPacked = a.row * size % 4096 == 0
    if isPacked { kernels.packRows(channels, k: count, a, slivers) }
    for tap in stride(from: 0, to: geometry.tapCount, by: kernels.panelWidth) {
      let taps = min(kernels.panelWidth, geometry.tapCount - tap)
      kernels.packColumns(
        taps, k: count,
        BlockKernels.Factor(
          pointer: lines.pointer + tap * lines.order.leading * size, row: 1, column: lines.order.leading),
        scratch, height: count)
      let (panels, target) = (kernels.packed(scratch, height: count), result + tap * size)
      let ahead = tap == 0 ? ahead : csimd_prefetch_block()
      if isPacked {
        kernels.multiply(
          m: channels, n: taps, k: count, slivers, panels, target, leading: geometry.tapCount, accumulates: true,
          ahead: ahead)
      } else {
        kernels.multiply(
          m: channels, n: taps, k: count, a, panels, target, leading: geometry.tapCount, accumulates: true, ahead: ahead
        )
      }
    }
  }

  /// Adds to `result` the windows times the output's gradient. Each element of the product has one accumulation chain
  /// per block of pixels.
  private func multiplyTransposed(
    _ kernels: BlockKernels, _ count: Int, _ lines: OpenBLASProduct.Factor, _ pixels: OpenBLASProduct.Factor,
    _ result: UnsafeMutableRawPointer, scratch: UnsafeMutableRawPointer
  ) {
    let a = BlockKernels.Factor(pointer: lines.pointer, row: lines.order.leading, column: 1)
    let b = BlockKernels.Factor(pointer: pixels.pointer, row: 1, column: pixels.order.leading)
    for first in stride(from: 0, to: count, by: Self.pixelsOfBlock) {
      let length = min(Self.pixelsOfBlock, count - first)
      kernels.packColumns(geometry.outputs, k: length, b.moved(row: first, geometry.lane), scratch, height: length)
      kernels.multiply(
        m: geometry.tapCount, n: geometry.outputs, k: length, a.moved(column: first, geometry.lane),
        kernels.packed(scratch, height: length), result, leading: geometry.outputs, accumulates: true)
    }
  }
}
