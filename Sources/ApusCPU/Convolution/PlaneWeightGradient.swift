import ApusDevice
import ApusCSIMD
import ApusSystem

/// The weight gradient of a convolution with stride 1 on padded planes (see `PlaneGeometry`); a plane is one depth
/// of a volume, and an image has one plane.
///
/// A strip is a range of rows of a plane. The list of the strips of all images is split into parts; the number of parts
/// depends only on the shape. For each weight, a part accumulates 16 sums, one for each lane of a vector of 16 pixels,
/// and adds these sums after its last strip. The results of the parts are added in order.
final class PlaneWeightGradientStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let geometry: PlaneGeometry
  private let input: Int
  private let gradient: Int
  private let dtype: DType
  private let epilogue: EpilogueKernel
  private let offsets: [Int]
  private let loops: UnsafePointer<csimd_table>
  private let copier: RowCopier
  private let partCount: Int
  /// The number of result channels in a block. They belong to one group, and their sums are computed together.
  private let channelGrain: Int
  /// Blocks per task.
  private let blockGrain: Int
  private let gradientOffset: Int
  private let sumsOffset: Int
  private let merger: PartMerger

  init(_ step: Convolution, _ geometry: PlaneGeometry, _ builder: StepBuilder) throws(DeviceError) {
    self.geometry = geometry
    (input, gradient, dtype) = (step.left, step.right, step.dtype)
    epilogue = try EpilogueKernel(step.epilogue, lanes: [.float32], builder)
    offsets = geometry.tapOffsets
    loops = builder.loops
    copier = RowCopier(step.dtype, builder)
    let perGroup = geometry.resultChannels / geometry.groups
    let strips = geometry.batch * geometry.stripsPerImage
    let weightCount = geometry.resultChannels * geometry.tapCount
    channelGrain = geometry.gradientChannelGrain
    let blocks = ceilDivide(perGroup, max(1, channelGrain)) * geometry.groups
    let work = step.geometry.multiplyAdds
    blockGrain = max(1, blocks / 32)
    partCount = max(
      1, min(strips, work / 1_000_000, max(2, 16 / blocks), 8_000_000 / max(1, weightCount)))
    merger = try PartMerger(count: weightCount, parts: partCount, lane: .float32, builder)
    gradientOffset = roundUp(geometry.paddedSize * 4, toMultipleOf: 64)
    sumsOffset = gradientOffset + channelGrain * geometry.stripSize * 4
    workspaceByteCount =
      max(sumsOffset + channelGrain * geometry.tapCount * 64, epilogue.workspaceByteCount)
    sharedByteCount = (partCount + 1) * weightCount * 4 + 64
  }

  private var weightCount: Int { geometry.resultChannels * geometry.tapCount }
  private var blocksPerGroup: Int {
    let perGroup = geometry.resultChannels / geometry.groups
    return ceilDivide(perGroup, channelGrain)
  }
  private var blockCount: Int { blocksPerGroup * geometry.groups }
  private var tasksPerPart: Int { ceilDivide(blockCount, blockGrain) }

  /// The number of tasks that sum strips. `Int.max` if the epilogue (the fused elementwise operations) needs temporary
  /// memory too: the epilogue runs later in tasks of its own, so every worker may need memory.
  var taskCount: Int { epilogue.workspaceByteCount > 0 ? .max : partCount * tasksPerPart }

  func run(_ context: borrowing RunContext) {
    let partials = context.shared.assumingMemoryBound(to: Float.self)
    let (input, gradient) = (context.address(input), context.address(gradient))
    let workspaces = context.workspaces
    let (blocks, tasks) = (blockCount, tasksPerPart)
    context.pool.run(partCount * tasks) { task, worker in
      let (part, number) = task.quotientAndRemainder(dividingBy: tasks)
      let first = number * blockGrain
      for block in first..<min(first + blockGrain, blocks) {
        run(
          part, block, input, gradient, partials + part * weightCount, workspaces[worker], clears: block == first)
      }
    }
    var cores: UnsafeMutableRawPointer? =
      epilogue.target(context.frame) ?? UnsafeMutableRawPointer(partials + partCount * weightCount)
    merger.merge(context, UnsafeMutableRawPointer(partials), into: cores!)
    epilogue.run(context, cores: &cores)
  }

  private func run(
    _ part: Int, _ block: Int, _ input: UnsafeMutableRawPointer, _ gradient: UnsafeMutableRawPointer,
    _ partial: UnsafeMutablePointer<Float>, _ workspace: UnsafeMutableRawPointer, clears: Bool
  ) {
    let perGroup = geometry.resultChannels / geometry.groups
    let (group, number) = block.quotientAndRemainder(dividingBy: blocksPerGroup)
    let channels = blockRange(number, size: channelGrain, count: perGroup)
    let padded = workspace.assumingMemoryBound(to: Float.self)
    let rowsOfGradient = (workspace + gradientOffset).assumingMemoryBound(to: Float.self)
    let sums = (workspace + sumsOffset).assumingMemoryBound(to: Float.self)
    sums.update(repeating: 0, count: channels.count * offsets.count * 16)
    if clears { rowsOfGradient.update(repeating: 0, count: channelGrain * geometry.stripSize) }
    let strips = geometry.batch * geometry.stripsPerImage
    let range = partRange(part, of: partCount, count: strips)
    let imageSize = geometry.sourceChannels * geometry.source.wrappedProduct
    for index in range {
      let (image, number) = index.quotientAndRemainder(dividingBy: geometry.stripsPerImage)
      let (plane, rows) = geometry.strip(number)
      let isFirst = clears && index == range.lowerBound || geometry.stripsPerImage > 1
      geometry.pad(
        input + image * imageSize * dtype.byteCount, firstChannel: group * geometry.paddedChannels,
        plane: plane, rows: rows, into: padded,
        copier, clears: isFirst)
      let first = image * geometry.resultChannels + group * perGroup + channels.lowerBound
      if geometry.isDepthwise, dtype == .float32 {
        let extents = geometry.result
        let row = (first * extents.x + plane) * extents.y + rows.lowerBound
        loops.pointee.depthwise_correlate(
          padded, geometry.width, gradient.assumingMemoryBound(to: Float.self) + row * extents.z, extents.z, rows.count,
          extents.z, sums)
        continue
      }
      spread(first, channels.count, plane, rows, gradient, rowsOfGradient)
      loops.pointee.plane_correlate(
        channels.count, offsets.count, padded, offsets, rowsOfGradient,
        geometry.stripSize, geometry.vectorCount(rows: rows.count), sums)
    }
    loops.pointee.fold_sums(
      channels.count * offsets.count, sums,
      partial + (group * perGroup + channels.lowerBound) * offsets.count)
  }

  /// Copies the gradient's rows to `target`, with the row stride of the padded buffer and zeros between the rows.
  private func spread(
    _ first: Int, _ count: Int, _ plane: Int, _ rows: Range<Int>, _ gradient: UnsafeMutableRawPointer,
    _ target: UnsafeMutablePointer<Float>
  ) {
    let extents = geometry.result
    for channel in 0..<count {
      let to = target + channel * geometry.stripSize
      let from = (((first + channel) * extents.x + plane) * extents.y + rows.lowerBound) * extents.z
      copier.copy(
        rows.count, extents.z, gradient, from, stride: extents.z, to: to, stride: geometry.width)
      // If this strip is shorter than an earlier strip, the buffer still contains pixels of that strip.
      let end = (rows.count - 1) * geometry.width + extents.z
      let vectorEnd = geometry.vectorCount(rows: rows.count) * 16
      if rows.count < geometry.stripRows { (to + end).update(repeating: 0, count: vectorEnd - end) }
    }
  }
}
