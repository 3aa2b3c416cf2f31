import ApusDevice
import ApusCSIMD
import ApusSystem

/// The weight gradient of a Winograd convolution, see `WinogradGeometry`.
///
/// A gradient with few weights is summed in parts: each part covers a range of tiles, and its task transforms these
/// tiles. A gradient with many weights is summed in blocks of input and output channels: each block covers all tiles,
/// and all tasks share the transforms.
final class WinogradWeightGradientStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let geometry: WinogradGeometry
  private let epilogue: EpilogueKernel
  private let input: Int
  private let gradient: Int
  private let loops: UnsafePointer<csimd_table>
  /// The number of parts; 0 if the gradient is summed in blocks of channels.
  private let parts: Int
  /// Tiles that are transformed together.
  private let tileGrain: Int
  private let ownCount: Int
  private let sharedCount: Int

  /// The maximum number of sums (floats) of all parts together.
  private static let mostPartNumbers = 1_400_000
  private static let enoughParts = 8
  /// Tiles that a part transforms at a time.
  private static let partTiles = 48
  /// Channels per block.
  private static let blockChannels = 64

  init(_ step: Convolution, _ geometry: WinogradGeometry, _ builder: StepBuilder) throws(DeviceError) {
    self.geometry = geometry
    loops = builder.loops
    epilogue = try EpilogueKernel(step.epilogue, lanes: [.float32], builder)
    (input, gradient) = (step.left, step.right)
    let (inputs, outputs, positions) = (geometry.source.channels, geometry.results.channels, WinogradGeometry.positions)
    let fits = positions * inputs * outputs * Self.enoughParts <= Self.mostPartNumbers
    parts = fits ? min(Self.enoughParts, max(1, geometry.tileCount / Self.partTiles)) : 0
    tileGrain = parts > 0 ? Self.partTiles : geometry.tileCount
    let pitches = WinogradGeometry.pitch(inputs) + WinogradGeometry.pitch(outputs)
    let transforms = positions * tileGrain * pitches
    let block = positions * Self.blockChannels * Self.blockChannels
    ownCount = parts > 0 ? transforms : block
    sharedCount = parts > 0 ? parts * positions * inputs * outputs : transforms
    let coreCount = epilogue.hasTarget ? 0 : geometry.results.channels * geometry.source.channels * 9
    workspaceByteCount = ownCount * MemoryLayout<Float>.size + epilogue.workspaceByteCount
    sharedByteCount = (sharedCount + coreCount) * MemoryLayout<Float>.size
  }

  private var positions: Int { WinogradGeometry.positions }
  private var inputs: Int { geometry.source.channels }
  private var outputs: Int { geometry.results.channels }
  private var inputPitch: Int { WinogradGeometry.pitch(inputs) }
  private var outputPitch: Int { WinogradGeometry.pitch(outputs) }
  /// The offset of the transforms of gradients, which are stored after the transforms of patches (the input pixels that
  /// tiles read).
  private var gradientsOffset: Int { positions * tileGrain * inputPitch }

  func run(_ context: borrowing RunContext) {
    guard epilogue.count > 0 else { return }
    let shared = context.shared.assumingMemoryBound(to: Float.self)
    let input = UnsafePointer(context.pointer(input, as: Float.self))
    let gradient = UnsafePointer(context.pointer(gradient, as: Float.self))
    let core = epilogue.target(context.frame)?.assumingMemoryBound(to: Float.self) ?? shared + sharedCount
    if parts > 0 {
      addParts(input, gradient, shared, core, context)
    } else {
      addBlocks(input, gradient, shared, core, context)
    }
    withUnsafePointer(to: Optional(UnsafeMutableRawPointer(core))) { epilogue.run(context, cores: $0) }
  }

  /// Transforms a range of tiles of both factors, the input and the gradient of the result. Each factor has its own
  /// section of `target`.
  private func transform(
    _ tiles: Range<Int>, at tile: Int, _ input: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>,
    _ target: UnsafeMutablePointer<Float>
  ) {
    var (patches, gradients) = (geometry.sourceTiles, geometry.resultTiles)
    loops.pointee.winograd_patches(
      &patches, tiles.lowerBound, tiles.count, input, target + tile * inputPitch, tileGrain * inputPitch, inputPitch)
    loops.pointee.winograd_gradients(
      &gradients, tiles.lowerBound, tiles.count, gradient, target + gradientsOffset + tile * outputPitch,
      tileGrain * outputPitch, outputPitch)
  }

  /// Computes, at each of the 36 positions of a transformed tile, the matrix product of the transformed patches and
  /// gradients of `count` tiles. `rows` are input channels, `columns` are output channels. The products are added to
  /// `sums` or, without `accumulates`, stored in `sums`.
  private func multiply(
    _ count: Int, rows: Range<Int>, columns: Range<Int>, _ transforms: UnsafePointer<Float>,
    _ sums: UnsafeMutablePointer<Float>, distance: Int, pitch: Int, accumulates: Bool
  ) {
    var lines = csimd_lines()
    lines.count = (1, 1)
    lines.k = count
    lines.a_step = inputPitch
    withUnsafePointer(to: lines) { lines in
      for position in 0..<positions {
        loops.pointee.lines_multiply.0!(
          rows.count, columns.count, lines, transforms + position * tileGrain * inputPitch + rows.lowerBound, 1,
          transforms + gradientsOffset + position * tileGrain * outputPitch + columns.lowerBound, outputPitch,
          loops.pointee.panel_width.0, sums + position * distance, pitch, accumulates ? 1 : 0, nil)
      }
    }
  }

  private func addParts(
    _ input: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>,
    _ core: UnsafeMutablePointer<Float>, _ context: borrowing RunContext
  ) {
    let (count, workspaces) = (inputs * outputs, context.workspaces)
    context.pool.run(parts) { part, worker in
      let own = workspaces[worker].assumingMemoryBound(to: Float.self)
      let tiles = partRange(part, of: parts, count: geometry.tileCount)
      for start in stride(from: tiles.lowerBound, to: tiles.upperBound, by: tileGrain) {
        let block = start..<min(start + tileGrain, tiles.upperBound)
        transform(block, at: 0, input, gradient, own)
        multiply(
          block.count, rows: 0..<inputs, columns: 0..<outputs, own, sums + part * positions * count, distance: count,
          pitch: outputs, accumulates: start > tiles.lowerBound)
      }
    }
    context.pool.run(positions) { position, _ in
      let total = sums + position * count
      for part in 1..<max(1, parts) {
        let other = total + part * positions * count
        for index in 0..<count { total[index] += other[index] }
      }
    }
    context.pool.run(outputs / 16) { block, _ in
      loops.pointee.winograd_weight_gradients(
        inputs, sums + block * 16, count, outputs, core + block * 16 * inputs * 9, inputs * 9)
    }
  }

  private func addBlocks(
    _ input: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>, _ transforms: UnsafeMutablePointer<Float>,
    _ core: UnsafeMutablePointer<Float>, _ context: borrowing RunContext
  ) {
    let (tiles, grain, size) = (geometry.tileCount, WinogradSchedule.patchGrain, Self.blockChannels)
    context.pool.run(ceilDivide(tiles, grain)) { task, _ in
      let block = blockRange(task, size: grain, count: tiles)
      transform(block, at: block.lowerBound, input, gradient, transforms)
    }
    let (rowBlocks, workspaces) = (ceilDivide(inputs, size), context.workspaces)
    context.pool.run(rowBlocks * ceilDivide(outputs, size)) { task, worker in
      let own = workspaces[worker].assumingMemoryBound(to: Float.self)
      let (column, row) = task.quotientAndRemainder(dividingBy: rowBlocks)
      let rows = blockRange(row, size: size, count: inputs)
      let columns = blockRange(column, size: size, count: outputs)
      multiply(
        tiles, rows: rows, columns: columns, transforms, own, distance: size * size, pitch: size, accumulates: false)
      for first in stride(from: 0, to: columns.count, by: 16) {
        loops.pointee.winograd_weight_gradients(
          rows.count, own + first, size * size, size,
          core + ((columns.lowerBound + first) * inputs + rows.lowerBound) * 9, inputs * 9)
      }
    }
  }
}
