import ApusDevice
import CSIMD

/// The gradient of a convolution's weights with channels last: for each tap the product of the channels of the pixels
/// it reads with the channels of the output's gradient, both where they lie.
///
/// Small gradients are sums of parts, of some images each; tasks of large ones are some taps and output channels. Both
/// follow from the sizes.
final class WindowWeightGradientStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let geometry: WindowGeometry
  private let taps: (y: Int, x: Int)
  private let parts: Int
  /// The blocks of output channels of a task.
  private let blocks: Int
  private let epilogue: EpilogueKernel
  private let input: Int
  private let gradient: Int
  private let loops: UnsafePointer<csimd_table>
  /// Bytes of the numbers that are stored at a time, where they wait for their epilogue.
  private let storedByteCount: Int

  /// Numbers of all parts together, and parts that are enough.
  private static let mostNumbers = 1 << 21
  private static let enoughParts = 16
  /// The longest chain of sums.
  private static let longestChain = 2048
  /// Output channels that are stored at a time.
  private static let storedChannels = 16

  init(_ step: Convolution, _ builder: StepBuilder) throws(DeviceError) {
    geometry = WindowGeometry(step.geometry, pass: step.pass)
    taps = (geometry.phases[0].y.weightTaps.count, geometry.phases[0].x.weightTaps.count)
    epilogue = try EpilogueKernel(step.epilogue, lanes: [.float32], builder)
    (input, gradient) = (step.left, step.right)
    loops = builder.loops
    let count = taps.y * taps.x * geometry.source.channels * geometry.results.channels
    parts = max(1, min(geometry.images, Self.enoughParts, Self.mostNumbers / max(1, count)))
    let panels = (geometry.results.channels + 31) / 32
    blocks = min(panels, (Self.enoughParts + parts * taps.y - 1) / (parts * taps.y))
    let rows = taps.y * taps.x * geometry.source.channels
    storedByteCount = epilogue.hasPlace ? 0 : (Self.storedChannels * rows * MemoryLayout<Float>.size + 63) & ~63
    workspaceByteCount = storedByteCount + epilogue.workspaceByteCount
    sharedByteCount = parts * count * MemoryLayout<Float>.size
  }

  /// Numbers of a line of taps, and of the whole gradient.
  private var lineCount: Int { taps.x * geometry.source.channels * geometry.results.channels }
  private var count: Int { taps.y * lineCount }

  func run(_ context: borrowing RunContext) {
    guard epilogue.count > 0 else { return }
    let sums = context.shared.assumingMemoryBound(to: Float.self)
    let input = UnsafePointer(context.pointer(input, as: Float.self))
    let gradient = UnsafePointer(context.pointer(gradient, as: Float.self))
    context.pool.run(parts * taps.y * blocks) { task, _ in
      let (rest, block) = task.quotientAndRemainder(dividingBy: blocks)
      let (part, tap) = rest.quotientAndRemainder(dividingBy: taps.y)
      add(part: part, tap: tap, channels: channels(of: block), input, gradient, sums + part * count)
    }
    store(sums, context)
  }

  private func channels(of block: Int) -> Range<Int> {
    let panels = (geometry.results.channels + 31) / 32
    return (panels * block / blocks * 32)..<min(panels * (block + 1) / blocks * 32, geometry.results.channels)
  }

  /// The sums of one line of taps over a part's images, for some output channels.
  private func add(
    part: Int, tap: Int, channels: Range<Int>, _ input: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>,
    _ sums: UnsafeMutablePointer<Float>
  ) {
    let width = geometry.results.channels
    for row in 0..<(taps.x * geometry.source.channels) {
      (sums + tap * lineCount + row * width + channels.lowerBound).update(repeating: 0, count: channels.count)
    }
    let phase = geometry.phases[0]
    let lines = phase.y.segments.filter { $0.taps.contains(tap) }
    guard let first = lines.first, let last = lines.last else { return }
    let rows = first.results.lowerBound..<last.results.upperBound
    let images = (geometry.images * part / parts)..<(geometry.images * (part + 1) / parts)
    let height = min(rows.count, max(1, Self.longestChain / max(1, geometry.results.width)))
    let depth = max(1, Self.longestChain / max(1, height * geometry.results.width))
    for image in stride(from: images.lowerBound, to: images.upperBound, by: depth) {
      for row in stride(from: rows.lowerBound, to: rows.upperBound, by: height) {
        let block = (
          images: image..<min(image + depth, images.upperBound), rows: row..<min(row + height, rows.upperBound)
        )
        for x in phase.x.segments where !x.taps.isEmpty {
          add(block, x, tap: tap, channels: channels, input, gradient, sums)
        }
      }
    }
  }

  /// Adds what some pixels give to the taps that they all read.
  private func add(
    _ block: (images: Range<Int>, rows: Range<Int>), _ x: WindowAxis.Segment, tap: Int, channels: Range<Int>,
    _ input: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>
  ) {
    let (source, results, phase) = (geometry.source, geometry.results, geometry.phases[0])
    var lines = csimd_lines()
    lines.count = (block.images.count, block.rows.count)
    lines.a = (source.image, phase.y.stride * source.row)
    lines.b = (results.image, results.row)
    lines.k = x.results.count
    lines.a_step = phase.x.stride * source.channels
    let y = WindowAxis.Segment(results: block.rows, taps: tap..<(tap + 1))
    let from =
      input + block.images.lowerBound * source.image + phase.y.start(of: y) * source.row
      + phase.x.start(of: x) * source.channels
    let factors =
      gradient + block.images.lowerBound * results.image + block.rows.lowerBound * results.row
      + x.results.lowerBound * results.channels + channels.lowerBound
    let to =
      sums + tap * lineCount + x.taps.lowerBound * source.channels * results.channels + channels.lowerBound
    // Channels of taps side by side are one row of numbers.
    let (runs, rows) =
      phase.x.dilation == 1 ? (1, x.taps.count * source.channels) : (x.taps.count, source.channels)
    withUnsafePointer(to: lines) { lines in
      for run in 0..<runs {
        loops.pointee.lines_multiply.0!(
          rows, channels.count, lines, from + run * phase.x.dilation * source.channels, 1, factors, results.channels,
          loops.pointee.panel_width.0, to + run * source.channels * results.channels, results.channels, 1)
      }
    }
  }

  /// Adds up the parts, in the order of the weights, and takes them through the epilogue.
  private func store(_ sums: UnsafePointer<Float>, _ context: borrowing RunContext) {
    let (frame, workspaces) = (context.frame, context.workspaces)
    let place = epilogue.place(frame)?.assumingMemoryBound(to: Float.self)
    let (width, rows) = (geometry.results.channels, taps.y * taps.x * geometry.source.channels)
    context.pool.run((width + Self.storedChannels - 1) / Self.storedChannels) { task, worker in
      let channels = (task * Self.storedChannels)..<min((task + 1) * Self.storedChannels, width)
      let room = workspaces[worker]
      let core = place.map { $0 + channels.lowerBound * rows } ?? room.assumingMemoryBound(to: Float.self)
      loops.pointee.unpack_taps(
        channels.count, geometry.source.channels, taps.y * taps.x, parts, count, sums + channels.lowerBound, width, core
      )
      epilogue.run(
        (channels.lowerBound * rows)..<(channels.upperBound * rows), core: core, frame,
        workspace: room + storedByteCount)
    }
  }
}
