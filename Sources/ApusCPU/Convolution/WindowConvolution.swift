import ApusDevice
import ApusCSIMD
import ApusSystem

/// The output or the input gradient of a convolution that reads windows of channels-last images in place. The output
/// can also be computed from channels-first images. Results that must be channels-first are transposed while they are
/// in a cache.
///
/// A tap is one position of the convolution kernel. A product computes results that read the same taps: a row of
/// pixels, a column of pixels, or one pixel of several images. The windows of these results are the rows of a strided
/// matrix. This matrix is multiplied, without a copy, by the packed weights, one panel (some result channels) at a
/// time. Taps outside of the image are skipped, so nothing is padded. If the factors are multiplied in bfloat16 pairs,
/// the source is first copied into 32-bit words, each with two channels.
final class WindowConvolutionStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let geometry: WindowGeometry
  private let schedule: WindowSchedule
  private let weights: WindowWeights
  private let epilogue: TileEpilogue
  private let source: Int
  private let loops: UnsafePointer<csimd_table>
  private let pairs: UnsafePointer<csimd_pairs>?
  /// Transposes a task's results to channels first; `nil` if the results stay channels-last.
  private let block: BlockTransposition?
  /// The bytes of a task's results before they are transposed.
  private let channelsLastByteCount: Int

  init(_ step: Convolution, _ builder: StepBuilder) throws(DeviceError) {
    pairs = builder.pairsOfWindows(step)
    geometry = WindowGeometry(
      step.geometry, pass: step.pass, order: step.order, channelsOfWord: pairs == nil ? 1 : 2)
    schedule = WindowSchedule(geometry)
    weights = WindowWeights(step, geometry, pairs: pairs, builder)
    source = step.left
    loops = builder.loops
    let results = geometry.results
    epilogue = try TileEpilogue(
      step.epilogue, .float32, width: results.isPlanar ? results.channel : results.channels,
      elements: schedule.largestTask, builder)
    block =
      results.isPlanar
      ? BlockTransposition(
        byteCount: MemoryLayout<Float>.size, rows: schedule.channelsOfTask,
        columns: schedule.rowsOfTask * results.width, stride: results.channel,
        resultByteCount: epilogue.isPlain ? geometry.images * results.image * MemoryLayout<Float>.size : 0, loops)
      : nil
    channelsLastByteCount =
      results.isPlanar ? roundUp(schedule.largestTask * MemoryLayout<Float>.size, toMultipleOf: 64) : 0
    workspaceByteCount = max(
      channelsLastByteCount + (block?.scratchByteCount ?? 0) + epilogue.workspaceByteCount, weights.workspaceByteCount)
    let wordCount = pairs == nil ? 0 : geometry.images * geometry.source.image
    sharedByteCount = weights.byteCount + wordCount * MemoryLayout<Float>.size
  }

  /// Returns the elements that the windows read. For bfloat16 pairs, the source is copied to words, which are stored
  /// after the packed weights.
  private func source(_ context: borrowing RunContext) -> UnsafePointer<Float> {
    let numbers = UnsafePointer(context.pointer(source, as: Float.self))
    guard let pairs else { return numbers }
    let words = (context.shared + weights.byteCount).assumingMemoryBound(to: Float.self)
    let count = geometry.images * geometry.source.image
    let grain = TaskLimits.elementCount
    context.pool.run(ceilDivide(count, grain)) { task, _ in
      let first = task * grain
      pairs.pointee.join(min(grain, count - first), numbers + 2 * first, words + first)
    }
    return UnsafePointer(words)
  }

  func run(_ context: borrowing RunContext) {
    guard schedule.taskCount > 0 else { return }
    let panels = context.shared.assumingMemoryBound(to: Float.self)
    weights.pack(context, into: panels)
    let source = source(context)
    let (tiles, workspaces) = (epilogue.tiles(context.frame), context.workspaces)
    context.pool.run(schedule.taskCount) { index, worker in
      run(schedule.task(index), source, panels, tiles, scratch: workspaces[worker])
    }
  }

  private func run(
    _ task: WindowSchedule.Task, _ source: UnsafePointer<Float>, _ panels: UnsafePointer<Float>,
    _ tiles: TileEpilogue.Tiles, scratch: UnsafeMutableRawPointer
  ) {
    let results = geometry.results
    if let block {
      run(task, block, source, panels, tiles, scratch: scratch)
      return
    }
    func first(_ image: Int) -> Int {
      image * results.image + task.rows.lowerBound * results.row + task.channels.lowerBound
    }
    let start = tiles.target(first(task.images.lowerBound), columns: task.channels.count, scratch: scratch)
    let target = Target(
      pointer: start.pointer.assumingMemoryBound(to: Float.self), pixel: start.leading,
      line: start.leading * results.width,
      image: start.leading * results.width * (tiles.isInPlace ? results.height : task.rows.count))
    for phase in geometry.phases { multiply(phase, task, source, panels, target) }
    for (number, image) in task.images.enumerated() {
      let core = UnsafeMutableRawPointer(target.pointer + number * target.image)
      tiles.finish(
        first(image), rows: task.rows.count * results.width, columns: task.channels.count,
        .init(pointer: core, leading: target.pixel), scratch: scratch)
    }
  }

  /// Runs a task with channels-first results.
  private func run(
    _ task: WindowSchedule.Task, _ block: BlockTransposition, _ source: UnsafePointer<Float>,
    _ panels: UnsafePointer<Float>, _ tiles: TileEpilogue.Tiles, scratch: UnsafeMutableRawPointer
  ) {
    let results = geometry.results
    let (pixels, channels) = (task.rows.count * results.width, task.channels.count)
    let target = Target(
      pointer: scratch.assumingMemoryBound(to: Float.self), pixel: channels, line: channels * results.width,
      image: channels * pixels)
    for phase in geometry.phases { multiply(phase, task, source, panels, target) }
    let transposed = scratch + channelsLastByteCount
    let rest = transposed + block.scratchByteCount
    for (number, image) in task.images.enumerated() {
      let first =
        image * results.image + task.channels.lowerBound * results.channel + task.rows.lowerBound * results.row
      let rows = tiles.target(first, columns: pixels, scratch: rest)
      block.run(
        rows: channels, columns: pixels, target.pointer + number * target.image, channels, rows.pointer, rows.leading,
        scratch: transposed)
      tiles.finish(first, rows: channels, columns: pixels, rows, scratch: rest)
    }
  }

  /// The destination of a task's results: the first result, and the strides of pixels, rows and images.
  private struct Target {
    var pointer: UnsafeMutablePointer<Float>
    var pixel: Int
    var line: Int
    var image: Int
  }

  /// Computes the results of a task that belong to one phase (see `WindowGeometry.Phase`).
  private func multiply(
    _ phase: WindowGeometry.Phase, _ task: WindowSchedule.Task, _ source: UnsafePointer<Float>,
    _ panels: UnsafePointer<Float>, _ target: Target
  ) {
    let wanted = phase.y.results(in: task.rows)
    for y in phase.y.segments {
      let rows = y.results.clamped(to: wanted)
      guard !rows.isEmpty else { continue }
      for x in phase.x.segments {
        multiply(
          phase, WindowAxis.Segment(results: rows, taps: y.taps), x, task, source, panels, target)
      }
    }
  }

  /// Computes one rectangle of results, which all read the same taps.
  private func multiply(
    _ phase: WindowGeometry.Phase, _ y: WindowAxis.Segment, _ x: WindowAxis.Segment, _ task: WindowSchedule.Task,
    _ source: UnsafePointer<Float>, _ panels: UnsafePointer<Float>, _ target: Target
  ) {
    let from = geometry.source
    // Images, rows and pixels: their counts, and their strides in the source and in the results.
    let counts = SIMD3(task.images.count, y.results.count, x.results.count)
    let windows = SIMD3(from.image, phase.y.stride * from.row, phase.x.stride * from.pixel)
    let results = SIMD3(target.image, phase.y.step * target.line, phase.x.step * target.pixel)
    let hasTaps = !y.taps.isEmpty && !x.taps.isEmpty
    let corner =
      hasTaps
      ? source + task.images.lowerBound * from.image + phase.y.start(of: y) * from.row
        + phase.x.start(of: x) * from.pixel
      : source
    let to =
      target.pointer + (phase.y.first + y.results.lowerBound * phase.y.step - task.rows.lowerBound) * target.line
      + (phase.x.first + x.results.lowerBound * phase.x.step) * target.pixel
    let lines = WindowLines(phase, y: y, x: x, from)
    let along = WindowSchedule.axisOfRows(counts)
    let (outer, inner) = along == 0 ? (1, 2) : along == 1 ? (0, 2) : (0, 1)
    let multiplyLines = pairs?.pointee.lines_multiply ?? loops.pointee.lines_multiply.0!
    for panel in weights.panels(of: task.channels) {
      let (lines, start) = lines.inPanel(width: panel.width)
      let factors = panels + weights.offset(of: panel, phase) + start
      let columns = to + panel.channels.lowerBound - task.channels.lowerBound
      withUnsafePointer(to: lines) { lines in
        for a in 0..<counts[outer] {
          for b in 0..<counts[inner] {
            multiplyLines(
              counts[along], panel.channels.count, lines, corner + a * windows[outer] + b * windows[inner],
              windows[along], factors, 0, 0, columns + a * results[outer] + b * results[inner], results[along], 0, nil)
          }
        }
      }
    }
  }
}
