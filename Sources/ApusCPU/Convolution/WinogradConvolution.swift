import ApusDevice
import ApusCSIMD

/// Computes the output of a Winograd convolution, or the gradient of its input; see `WinogradGeometry`.
///
/// A tile consists of 4 × 4 results. With many tiles, each task transforms its own block of tiles, and all tasks share
/// the transformed weights. With many weights, each task transforms the weights of its own result channels, and all
/// tasks share the transformed tiles.
final class WinogradConvolutionStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let geometry: WinogradGeometry
  private let schedule: WinogradSchedule
  private let distances: WeightDistances
  private let panelWidth: Int
  private let epilogue: TileEpilogue
  private let source: Int
  private let weights: Int
  private let loops: UnsafePointer<csimd_table>

  init(_ step: Convolution, _ geometry: WinogradGeometry, _ builder: StepBuilder) throws(DeviceError) {
    self.geometry = geometry
    loops = builder.loops
    panelWidth = builder.loops.pointee.panel_width.0
    schedule = WinogradSchedule(geometry, panelWidth: panelWidth)
    distances = WeightDistances(step)
    (source, weights) = (step.left, step.right)
    epilogue = try TileEpilogue(
      step.epilogue, .float32, width: geometry.results.channels, elements: schedule.largestTask, builder)
    workspaceByteCount = schedule.ownCount * MemoryLayout<Float>.size + epilogue.workspaceByteCount
    sharedByteCount = schedule.sharedCount * MemoryLayout<Float>.size
  }

  func run(_ context: borrowing RunContext) {
    guard schedule.taskCount > 0 else { return }
    let shared = context.shared.assumingMemoryBound(to: Float.self)
    let source = UnsafePointer(context.pointer(source, as: Float.self))
    let weights = UnsafePointer(context.pointer(weights, as: Float.self))
    let (tiles, workspaces) = (epilogue.tiles(context.frame), context.workspaces)
    let panels = ChannelPanel.all(of: 0..<geometry.results.channels, width: panelWidth)
    if schedule.sharesWeights {
      let whole = geometry.source.channels * geometry.results.channels
      context.pool.run(panels.count) { panel, _ in
        let target = shared + panels[panel].channels.lowerBound * geometry.source.channels
        transform(panels[panel], weights, into: target, distance: whole)
      }
    } else {
      let blocks = geometry.tileCount.pieces(of: WinogradSchedule.patchGrain)
      context.pool.run(blocks.count) { block, _ in
        transform(blocks[block], source, into: shared + blocks[block].lowerBound * schedule.sourcePitch)
      }
    }
    context.pool.run(schedule.taskCount) { index, worker in
      let scratch = workspaces[worker]
      let own = scratch.assumingMemoryBound(to: Float.self)
      let task = schedule.task(index)
      var (patches, factors) = (UnsafePointer(own), UnsafePointer(shared))
      if schedule.sharesWeights {
        transform(task.tiles, source, into: own)
      } else {
        for panel in ChannelPanel.all(of: task.channels, width: panelWidth) {
          let target = own + (panel.channels.lowerBound - task.channels.lowerBound) * geometry.source.channels
          transform(panel, weights, into: target, distance: schedule.weightDistance)
        }
        (patches, factors) = (factors, patches)
      }
      let products = own + schedule.productsOffset
      multiply(task, patches, factors, products)
      store(task, products, tiles, scratch: scratch + schedule.ownCount * MemoryLayout<Float>.size)
    }
  }

  /// Transforms the patches of a range of tiles; the patch of a tile consists of the source pixels that the tile reads.
  private func transform(_ tiles: Range<Int>, _ source: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>)
  {
    withUnsafePointer(to: geometry.sourceTiles) { grid in
      loops.pointee.winograd_patches(
        grid, tiles.lowerBound, tiles.count, source, target, schedule.patchDistance, schedule.sourcePitch)
    }
  }

  /// Transforms the weights of a panel, a range of result channels, at most 16 channels at a time.
  private func transform(
    _ panel: ChannelPanel, _ weights: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>, distance: Int
  ) {
    for first in stride(from: 0, to: panel.channels.count, by: 16) {
      loops.pointee.winograd_weights(
        geometry.source.channels, weights + (panel.channels.lowerBound + first) * distances.result, distances.result,
        distances.source, geometry.isFlipped ? 1 : 0, target + first, distance, panel.width)
    }
  }

  private func multiply(
    _ task: WinogradSchedule.Task, _ patches: UnsafePointer<Float>, _ weights: UnsafePointer<Float>,
    _ products: UnsafeMutablePointer<Float>
  ) {
    var lines = csimd_lines()
    lines.count = (1, 1)
    lines.k = geometry.source.channels
    lines.a_step = 1
    withUnsafePointer(to: lines) { lines in
      for position in 0..<WinogradGeometry.positions {
        loops.pointee.lines_multiply.0!(
          task.tiles.count, task.channels.count, lines, patches + position * schedule.patchDistance,
          schedule.sourcePitch, weights + position * schedule.weightDistance, 0, geometry.source.channels * panelWidth,
          products + position * schedule.productDistance, schedule.productPitch, 0, nil)
      }
    }
  }

  /// Transforms products to results and runs the epilogue (the elementwise operations on the results), image by image.
  private func store(
    _ task: WinogradSchedule.Task, _ products: UnsafePointer<Float>, _ tiles: TileEpilogue.Tiles,
    scratch: UnsafeMutableRawPointer
  ) {
    let results = geometry.results
    var grid = geometry.resultTiles
    grid.channels = task.channels.count
    for part in schedule.images(of: task.tiles) {
      let first = part.image * results.image + part.rows.lowerBound * results.row + task.channels.lowerBound
      let target = tiles.target(first, columns: task.channels.count, scratch: scratch)
      let core = target.pointer.assumingMemoryBound(to: Float.self)
      loops.pointee.winograd_results(
        &grid, part.tiles.lowerBound, part.tiles.count,
        products + (part.tiles.lowerBound - task.tiles.lowerBound) * schedule.productPitch, schedule.productDistance,
        schedule.productPitch, core, target.leading * results.width, target.leading)
      tiles.finish(first, rows: part.rows.count * results.width, columns: task.channels.count, target, scratch: scratch)
    }
  }
}
