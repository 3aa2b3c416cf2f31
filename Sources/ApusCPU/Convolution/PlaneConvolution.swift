import ApusDevice
import ApusCSIMD
import ApusSystem

/// The output or the input gradient of a convolution with stride 1. It is computed in strips, which are ranges of rows
/// of the result, from copies of the images that are padded with zeros (see `PlaneGeometry`) or, for some depthwise
/// convolutions, from the images in place. A task computes several images if they are small.
final class PlaneConvolutionStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let geometry: PlaneGeometry
  private let weights: PlaneWeights
  private let source: Int
  private let dtype: DType
  private let epilogue: EpilogueKernel
  private let offsets: [Int]
  private let loops: UnsafePointer<csimd_table>
  private let copier: RowCopier
  /// Strips per task; a small image is one strip.
  private let grain: Int
  /// Byte offsets in the workspace: of the strip with gaps (see `PlaneGeometry`), of the core results (the results
  /// before the epilogue), and of the epilogue's memory. The padded planes begin at 0.
  private let stripOffset: Int
  private let coreOffset: Int
  private let epilogueOffset: Int

  init(_ step: Convolution, _ geometry: PlaneGeometry, _ builder: StepBuilder) throws(DeviceError) {
    self.geometry = geometry
    dtype = step.dtype
    source = step.left
    weights = PlaneWeights(geometry, value: step.right, dtype: step.dtype, builder)
    epilogue = try EpilogueKernel(step.epilogue, lanes: [.float32], builder)
    offsets = geometry.tapOffsets
    loops = builder.loops
    copier = RowCopier(step.dtype, builder)
    let work =
      geometry.stripRows * geometry.width * geometry.resultChannels * geometry.tapCount
    grain = max(1, 1_000_000 / max(1, work))
    stripOffset = roundUp(geometry.paddedSize * 4, toMultipleOf: 64)
    // The last block of channels may compute one extra channel.
    coreOffset = stripOffset + (geometry.resultChannels / geometry.groups + 1) * geometry.stripSize * 4
    epilogueOffset =
      coreOffset
      + (epilogue.hasTarget
        ? 0 : roundUp(geometry.resultChannels * geometry.stripRows * geometry.result.z * 4, toMultipleOf: 64))
    workspaceByteCount = epilogueOffset + epilogue.workspaceByteCount
    sharedByteCount = weights.byteCount
  }

  private var stripCount: Int { geometry.batch * geometry.stripsPerImage }
  var taskCount: Int { ceilDivide(stripCount, grain) }

  func run(_ context: borrowing RunContext) {
    let panels = context.shared.assumingMemoryBound(to: Float.self)
    weights.pack(context, into: panels)
    let (frame, workspaces) = (context.frame, context.workspaces)
    let source = context.address(source)
    context.pool.run(taskCount) { task, worker in
      for index in blockRange(task, size: grain, count: stripCount) {
        let isFirst = index == task * grain || geometry.stripsPerImage > 1
        run(index, source, panels, frame, workspaces[worker], clears: isFirst)
      }
    }
  }

  private func run(
    _ index: Int, _ source: UnsafeMutableRawPointer, _ panels: UnsafeMutablePointer<Float>,
    _ frame: RunFrame, _ workspace: UnsafeMutableRawPointer, clears: Bool
  ) {
    let (image, number) = index.quotientAndRemainder(dividingBy: geometry.stripsPerImage)
    let (plane, rows) = geometry.strip(number)
    let imageSize = geometry.sourceChannels * geometry.source.wrappedProduct
    let padded = workspace.assumingMemoryBound(to: Float.self)
    let channelSize = geometry.result.wrappedProduct
    let first =
      image * geometry.resultChannels * channelSize + plane * geometry.result.y * geometry.result.z
      + rows.lowerBound * geometry.result.z
    let resultBase = epilogue.target(frame)?.assumingMemoryBound(to: Float.self)
    // The strips of two adjacent channels are a whole channel apart in the result, and contiguous in the workspace.
    let stripCount = rows.count * geometry.result.z
    let core = resultBase.map { $0 + first } ?? (workspace + coreOffset).assumingMemoryBound(to: Float.self)
    let stride = resultBase == nil ? stripCount : channelSize
    var paddedGroup: Int?
    if geometry.readsInPlace(dtype) {
      // In-place reads need one row of zeros in addition to the image.
      if clears { padded.update(repeating: 0, count: geometry.width) }
      let planes = source.assumingMemoryBound(to: Float.self) + image * imageSize
      multiplyInPlace(planes, plane, rows, zeros: padded, panels, core, stride)
      return finish(first, stripCount, core, stride, frame, workspace + epilogueOffset)
    }
    for block in weights.blocks {
      if block.group != paddedGroup {
        geometry.pad(
          source + image * imageSize * dtype.byteCount, firstChannel: block.group * geometry.paddedChannels,
          plane: plane, rows: rows, into: padded, copier, clears: clears && paddedGroup == nil)
        paddedGroup = block.group
      }
      let strip = (workspace + stripOffset).assumingMemoryBound(to: Float.self)
      multiply(block, rows, padded, panels, strip, core, stride)
    }
    finish(first, stripCount, core, stride, frame, workspace + epilogueOffset)
  }

  /// Computes a strip of all channels of a depthwise convolution from the unpadded image.
  private func multiplyInPlace(
    _ image: UnsafePointer<Float>, _ plane: Int, _ rows: Range<Int>, zeros: UnsafePointer<Float>,
    _ panels: UnsafePointer<Float>, _ core: UnsafeMutablePointer<Float>, _ stride: Int
  ) {
    let size = geometry.source
    var pixels = csimd_depthwise_plane(
      x: nil, zeros: zeros, rows: size.y, row_stride: size.z, first: rows.lowerBound - geometry.lead.y, padding: 1)
    for block in weights.blocks {
      pixels.x = image + (block.group * size.x + plane) * size.y * size.z
      loops.pointee.depthwise_multiply(
        &pixels, panels + block.offset, core + block.group * stride, geometry.result.z, rows.count, geometry.result.z)
    }
  }

  /// Computes a block of channels of a strip, and removes the gaps between the rows of the strip.
  private func multiply(
    _ block: PlaneWeights.Block, _ rows: Range<Int>, _ padded: UnsafeMutablePointer<Float>,
    _ panels: UnsafeMutablePointer<Float>, _ strip: UnsafeMutablePointer<Float>,
    _ core: UnsafeMutablePointer<Float>, _ stride: Int
  ) {
    let perGroup = geometry.resultChannels / geometry.groups
    if geometry.isDepthwise {
      var pixels = csimd_depthwise_plane(
        x: padded, zeros: nil, rows: rows.count + 2, row_stride: geometry.width, first: 0, padding: 0)
      loops.pointee.depthwise_multiply(
        &pixels, panels + block.offset, core + block.group * stride, geometry.result.z, rows.count, geometry.result.z)
      return
    }
    loops.pointee.plane_multiply(
      block.width, offsets.count, padded, offsets, panels + block.offset, strip, geometry.stripSize,
      geometry.vectorCount(rows: rows.count))
    for lane in 0..<block.channels.count {
      let target = core + (block.group * perGroup + block.channels.lowerBound + lane) * stride
      loops.pointee.copy_rows(
        rows.count, geometry.result.z, strip + lane * geometry.stripSize, geometry.width, target,
        geometry.result.z)
    }
  }

  /// Runs the epilogue on a strip: in one call if the strip is a whole image, otherwise channel by channel.
  private func finish(
    _ first: Int, _ count: Int, _ core: UnsafeMutablePointer<Float>, _ stride: Int, _ frame: RunFrame,
    _ workspace: UnsafeMutableRawPointer
  ) {
    guard epilogue.kernel != nil else { return }
    let channelSize = geometry.result.wrappedProduct
    if count == channelSize {
      epilogue.run(
        first..<(first + geometry.resultChannels * channelSize), core: core, frame, workspace: workspace)
      return
    }
    for channel in 0..<geometry.resultChannels {
      let start = first + channel * channelSize
      epilogue.run(start..<(start + count), core: core + channel * stride, frame, workspace: workspace)
    }
  }
}
