import ApusDevice
import ApusCSIMD
import ApusSystem

/// The weight gradient of a convolution whose windows are read in place. For each tap (kernel position), the step
/// multiplies the transposed matrix of the pixels that the tap reads by the gradient of the output. If the output's
/// gradient is channels-first, each of its blocks is transposed once for all taps.
///
/// A small weight gradient is summed in parts, each over a range of images. The tasks of a large weight gradient cover
/// ranges of taps and output channels. The split depends only on the shape.
final class WindowWeightGradientStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let geometry: WindowGeometry
  private let taps: (y: Int, x: Int)
  private let parts: Int
  /// The number of blocks into which the output channels are split.
  private let blocks: Int
  /// Rows of taps per task. If the weight gradient is small, and the parts and panels (groups of 32 output channels)
  /// alone give enough tasks, a task has all rows of taps, so that the input is read from memory once; otherwise it has
  /// one row.
  private let tapGrain: Int
  /// Pixels per block, which is the length of an accumulation chain.
  private let chain: Int
  private let epilogue: EpilogueKernel
  private let input: Int
  private let gradient: Int
  private let loops: UnsafePointer<csimd_table>
  /// Elements of the buffer for a transposed block of the gradient.
  private let transposedCount: Int
  /// Bytes of the buffer that stores weight gradients until the epilogue runs.
  private let storedByteCount: Int

  /// The maximum number of sums, counted over all parts.
  private static let mostNumbers = 1 << 21
  /// With at least this number of parts or tasks, all threads get about equal work.
  private static let enoughParts = 16
  /// The maximum length of an accumulation chain.
  private static let longestChain = 2048
  /// The minimum length of an accumulation chain. A chain loads and stores its sum once, which is too expensive for
  /// fewer terms.
  private static let shortestChain = 128
  /// The maximum number of sums that stay in an L2 cache; also the maximum number of elements that a block of pixels
  /// reads.
  private static let mostOwnNumbers = 1 << 17
  /// Output channels per task, for the tasks that merge the parts and run the epilogue.
  private static let storedChannels = 16

  init(_ step: Convolution, _ builder: StepBuilder) throws(DeviceError) {
    geometry = WindowGeometry(step.geometry, pass: step.pass, order: step.order)
    taps = (geometry.phases[0].y.weightTaps.count, geometry.phases[0].x.weightTaps.count)
    epilogue = try EpilogueKernel(step.epilogue, lanes: [.float32], builder)
    (input, gradient) = (step.left, step.right)
    loops = builder.loops
    let count = taps.y * taps.x * geometry.source.channels * geometry.results.channels
    parts = max(1, min(geometry.images, Self.enoughParts, Self.mostNumbers / max(1, count)))
    let panels = ceilDivide(geometry.results.channels, 32)
    tapGrain = count <= Self.mostOwnNumbers && parts * panels >= Self.enoughParts ? taps.y : 1
    let tasks = parts * (taps.y / tapGrain)
    blocks = min(panels, ceilDivide(Self.enoughParts, tasks))
    let stride = step.geometry.stride
    let read = geometry.results.channels + geometry.source.channels * stride.y * stride.z
    chain =
      tapGrain == 1
      ? Self.longestChain : max(Self.shortestChain, min(Self.longestChain, Self.mostOwnNumbers / read))
    let rows = taps.y * taps.x * geometry.source.channels
    storedByteCount =
      epilogue.hasTarget ? 0 : roundUp(Self.storedChannels * rows * MemoryLayout<Float>.size, toMultipleOf: 64)
    transposedCount =
      geometry.results.isPlanar
      ? max(chain, geometry.results.width) * ceilDivide(panels, max(1, blocks)) * 32 : 0
    workspaceByteCount = max(
      storedByteCount + epilogue.workspaceByteCount, transposedCount * MemoryLayout<Float>.size)
    sharedByteCount = parts * count * MemoryLayout<Float>.size
  }

  /// Elements of the weight gradient. While it is summed, its layout is `[tap][source channel][result channel]`, or
  /// `[source channel][tap][result channel]` if the source has channels first.
  private var count: Int { taps.y * taps.x * geometry.source.channels * geometry.results.channels }
  /// The stride of taps in the layout of `count`, in elements.
  private var tapDistance: Int {
    (geometry.source.isPlanar ? 1 : geometry.source.channels) * geometry.results.channels
  }
  /// The stride of source channels in the layout of `count`, in elements.
  private var channelDistance: Int {
    (geometry.source.isPlanar ? taps.y * taps.x : 1) * geometry.results.channels
  }

  func run(_ context: borrowing RunContext) {
    guard epilogue.count > 0 else { return }
    let sums = context.shared.assumingMemoryBound(to: Float.self)
    let input = UnsafePointer(context.pointer(input, as: Float.self))
    let gradient = UnsafePointer(context.pointer(gradient, as: Float.self))
    let tapTasks = taps.y / tapGrain
    let workspaces = context.workspaces
    context.pool.run(parts * tapTasks * blocks) { task, worker in
      let (rest, block) = task.quotientAndRemainder(dividingBy: blocks)
      let (part, tapTask) = rest.quotientAndRemainder(dividingBy: tapTasks)
      let taps = (tapTask * tapGrain)..<((tapTask + 1) * tapGrain)
      add(
        part: part, taps: taps, channels: channels(of: block), input, gradient, sums + part * count,
        scratch: workspaces[worker].assumingMemoryBound(to: Float.self))
    }
    store(sums, context)
  }

  private func channels(of block: Int) -> Range<Int> {
    let panels = ceilDivide(geometry.results.channels, 32)
    let own = partRange(block, of: blocks, count: panels)
    return (own.lowerBound * 32)..<min(own.upperBound * 32, geometry.results.channels)
  }

  /// Computes the sums of a range of rows of taps and a range of output channels, over the images of a part.
  private func add(
    part: Int, taps: Range<Int>, channels: Range<Int>, _ input: UnsafePointer<Float>,
    _ gradient: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    for tap in (taps.lowerBound * self.taps.x)..<(taps.upperBound * self.taps.x) {
      for channel in 0..<geometry.source.channels {
        (sums + tap * tapDistance + channel * channelDistance + channels.lowerBound)
          .update(repeating: 0, count: channels.count)
      }
    }
    let phase = geometry.phases[0]
    let rows = 0..<geometry.results.height
    let readers = taps.map { tap in
      let lines = phase.y.segments.filter { $0.taps.contains(tap) }
      return (lines.first?.results.lowerBound ?? 0)..<(lines.last?.results.upperBound ?? 0)
    }
    let images = partRange(part, of: parts, count: geometry.images)
    let height = max(1, min(rows.count, chain / max(1, geometry.results.width)))
    let depth = max(1, chain / max(1, height * geometry.results.width))
    for image in stride(from: images.lowerBound, to: images.upperBound, by: depth) {
      for row in stride(from: rows.lowerBound, to: rows.upperBound, by: height) {
        let block = Block(
          images: image..<min(image + depth, images.upperBound), rows: row..<min(row + height, rows.upperBound),
          channels: channels)
        let factor = self.factor(block, gradient, scratch: scratch)
        for (tap, reader) in zip(taps, readers) where block.rows.overlaps(reader) {
          var lines = block
          lines.rows = block.rows.clamped(to: reader)
          let first = factor.moved(rows: lines.rows.lowerBound - row)
          for x in phase.x.segments where !x.taps.isEmpty { add(lines, x, tap: tap, input, first, sums) }
        }
      }
    }
  }

  /// A block of the gradient: ranges of images, of rows of pixels and of channels.
  private struct Block {
    var images: Range<Int>
    var rows: Range<Int>
    var channels: Range<Int>
  }

  /// The address of a block of the gradient with channels last, and the strides of its pixels, rows and images.
  private struct Factor {
    var pointer: UnsafePointer<Float>
    var pixel: Int
    var row: Int
    var image: Int

    func moved(rows: Int) -> Factor { Factor(pointer: pointer + rows * row, pixel: pixel, row: row, image: image) }
  }

  /// Returns a block of the gradient, transposed if it has channels first.
  private func factor(_ block: Block, _ gradient: UnsafePointer<Float>, scratch: UnsafeMutablePointer<Float>) -> Factor
  {
    let results = geometry.results
    func start(_ image: Int) -> UnsafePointer<Float> {
      gradient + image * results.image + block.rows.lowerBound * results.row
        + block.channels.lowerBound * results.channel
    }
    guard results.isPlanar else {
      return Factor(
        pointer: start(block.images.lowerBound), pixel: results.pixel, row: results.row, image: results.image)
    }
    let (pixels, channels) = (block.rows.count * results.width, block.channels.count)
    for (number, image) in block.images.enumerated() {
      loops.pointee.transpose.2!(
        pixels, channels, start(image), results.channel, scratch + number * pixels * channels, channels)
    }
    return Factor(pointer: scratch, pixel: channels, row: results.width * channels, image: pixels * channels)
  }

  /// Adds the products of a segment of pixels to the sums of the segment's taps. A segment is consecutive pixels of the
  /// output for which the same taps are inside the image.
  private func add(
    _ block: Block, _ x: WindowAxis.Segment, tap: Int, _ input: UnsafePointer<Float>, _ gradient: Factor,
    _ sums: UnsafeMutablePointer<Float>
  ) {
    let channels = block.channels
    let (source, phase) = (geometry.source, geometry.phases[0])
    let width = geometry.results.channels
    var lines = csimd_lines()
    lines.count = (block.images.count, block.rows.count)
    lines.a = (source.image, phase.y.stride * source.row)
    lines.b = (gradient.image, gradient.row)
    lines.k = x.results.count
    lines.a_step = phase.x.stride * source.pixel
    let y = WindowAxis.Segment(results: block.rows, taps: tap..<(tap + 1))
    let from =
      input + block.images.lowerBound * source.image + phase.y.start(of: y) * source.row
      + phase.x.start(of: x) * source.pixel
    let factors = gradient.pointer + x.results.lowerBound * gradient.pixel
    let to = sums + (tap * taps.x + x.taps.lowerBound) * tapDistance + channels.lowerBound
    // A product's rows are the taps of one channel (channels first), the channels of adjacent taps (channels last with
    // dilation 1), or the channels of one tap.
    let (runs, rows, distance) =
      source.isPlanar
      ? (source.channels, x.taps.count, source.channel)
      : phase.x.dilation == 1
        ? (1, x.taps.count * source.channels, 0) : (x.taps.count, source.channels, phase.x.dilation * source.channels)
    withUnsafePointer(to: lines) { lines in
      for run in 0..<runs {
        loops.pointee.lines_multiply.0!(
          rows, channels.count, lines, from + run * distance, 1, factors, gradient.pixel,
          loops.pointee.panel_width.0, to + run * (source.isPlanar ? channelDistance : tapDistance), width, 1,
          nil)
      }
    }
  }

  /// Adds the sums of the parts, writes the totals in the layout of the weights, and runs the epilogue.
  private func store(_ sums: UnsafePointer<Float>, _ context: borrowing RunContext) {
    let (frame, workspaces) = (context.frame, context.workspaces)
    let resultBase = epilogue.target(frame)?.assumingMemoryBound(to: Float.self)
    let (width, rows) = (geometry.results.channels, taps.y * taps.x * geometry.source.channels)
    context.pool.run(ceilDivide(width, Self.storedChannels)) { task, worker in
      let channels = blockRange(task, size: Self.storedChannels, count: width)
      let scratch = workspaces[worker]
      let core = resultBase.map { $0 + channels.lowerBound * rows } ?? scratch.assumingMemoryBound(to: Float.self)
      let (sources, taps) = geometry.source.isPlanar ? (rows, 1) : (geometry.source.channels, taps.y * taps.x)
      loops.pointee.unpack_taps(
        channels.count, sources, taps, parts, count, sums + channels.lowerBound, width, core)
      epilogue.run(
        (channels.lowerBound * rows)..<(channels.upperBound * rows), core: core, frame,
        workspace: scratch + storedByteCount)
    }
  }
}
