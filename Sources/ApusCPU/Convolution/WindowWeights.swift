import ApusDevice
import ApusCSIMD
import ApusSystem

/// The weights of a convolution, packed in panels of result channels. A phase is a set of results that use the same
/// taps (see `WindowGeometry.Phase`). The layout of the weights of one phase is
/// `[panel][tap][source channel][result channel]`, or `[panel][source channel][tap][result channel]` if the source has
/// channels first. Zeros pad the last panel to a multiple of 16 channels. For bfloat16 pairs, a 32-bit word of two
/// source channels takes the place of a source channel.
struct WindowWeights {
  private let geometry: WindowGeometry
  private let pairs: UnsafePointer<csimd_pairs>?
  private let value: Int
  private let panelWidth: Int
  private let loops: UnsafePointer<csimd_table>
  private let distances: WeightDistances
  private let tapsOfRow: Int

  init(
    _ step: Convolution, _ geometry: WindowGeometry, pairs: UnsafePointer<csimd_pairs>?, _ builder: StepBuilder
  ) {
    self.geometry = geometry
    self.pairs = pairs
    value = step.right
    loops = builder.loops
    panelWidth = builder.loops.pointee.panel_width.0
    distances = WeightDistances(step)
    tapsOfRow = step.geometry.kernel.z
  }

  var byteCount: Int { geometry.weightCount * MemoryLayout<Float>.size }
  /// Bytes that each worker needs while it packs words: the source channels of a task before they are joined into
  /// words.
  var workspaceByteCount: Int {
    pairs == nil ? 0 : 2 * grain * panelWidth * (geometry.phases.map(\.tapCount).max() ?? 0) * MemoryLayout<Float>.size
  }
  /// Source channels (or words) per task, so that a task packs about 32768 weights.
  private var grain: Int { max(1, 32768 / (panelWidth * max(1, geometry.phases[0].tapCount))) }

  /// The panels of a range of channels that begins at a panel boundary.
  func panels(of channels: Range<Int>) -> [ChannelPanel] { ChannelPanel.all(of: channels, width: panelWidth) }

  /// The offset of a panel in the packed weights.
  func offset(of panel: ChannelPanel, _ phase: WindowGeometry.Phase) -> Int {
    phase.weightOffset + panel.channels.lowerBound * phase.tapCount * geometry.source.channels
  }

  /// Fills the panels.
  func pack(_ context: borrowing RunContext, into target: UnsafeMutablePointer<Float>) {
    let weights = UnsafePointer(context.pointer(value, as: Float.self))
    let panels = panels(of: 0..<geometry.results.channels)
    let (grain, workspaces) = (grain, context.workspaces)
    let blocks = ceilDivide(geometry.source.channels, grain)
    context.pool.run(geometry.phases.count * panels.count * blocks) { task, worker in
      let (rest, block) = task.quotientAndRemainder(dividingBy: blocks)
      let (number, index) = rest.quotientAndRemainder(dividingBy: panels.count)
      let (phase, panel) = (geometry.phases[number], panels[index])
      let sources = blockRange(block, size: grain, count: geometry.source.channels)
      if let pairs {
        let scratch = workspaces[worker].assumingMemoryBound(to: Float.self)
        packPairs(panel, phase, sources, weights, target + offset(of: panel, phase), pairs.pointee, scratch: scratch)
      } else {
        pack(panel, phase, sources, weights, target + offset(of: panel, phase))
      }
    }
  }

  private func pack(
    _ panel: ChannelPanel, _ phase: WindowGeometry.Phase, _ sources: Range<Int>, _ weights: UnsafePointer<Float>,
    _ target: UnsafeMutablePointer<Float>
  ) {
    if geometry.source.isPlanar {
      // With channels first there is one phase, so all taps are packed in their order.
      let rows = sources.count * phase.tapCount
      loops.pointee.pack_taps(
        panel.channels.count, panel.width, rows, 1, [0],
        weights + panel.channels.lowerBound * distances.result + sources.lowerBound * distances.source,
        distances.result, 1, target + sources.lowerBound * phase.tapCount * panel.width, 0)
      return
    }
    packTaps(
      panel, phase, sources, weights, target + sources.lowerBound * panel.width,
      distance: geometry.source.channels * panel.width)
  }

  /// Packs all taps of a range of source channels; taps are `distance` elements apart in `target`.
  private func packTaps(
    _ panel: ChannelPanel, _ phase: WindowGeometry.Phase, _ sources: Range<Int>, _ weights: UnsafePointer<Float>,
    _ target: UnsafeMutablePointer<Float>, distance: Int
  ) {
    let taps = phase.y.weightTaps.flatMap { y in phase.x.weightTaps.map { y * tapsOfRow + $0 } }
    loops.pointee.pack_taps(
      panel.channels.count, panel.width, sources.count, taps.count, taps,
      weights + panel.channels.lowerBound * distances.result + sources.lowerBound * distances.source,
      distances.result, distances.source, target, distance)
  }

  /// Packs words of two source channels each; `scratch` stores the channels before they are joined.
  private func packPairs(
    _ panel: ChannelPanel, _ phase: WindowGeometry.Phase, _ words: Range<Int>, _ weights: UnsafePointer<Float>,
    _ target: UnsafeMutablePointer<Float>, _ pairs: csimd_pairs, scratch: UnsafeMutablePointer<Float>
  ) {
    let distance = 2 * words.count * panel.width
    packTaps(panel, phase, (2 * words.lowerBound)..<(2 * words.upperBound), weights, scratch, distance: distance)
    for tap in 0..<phase.tapCount {
      let lines = target + (tap * geometry.source.channels + words.lowerBound) * panel.width
      pairs.join_lines(words.count, panel.width, scratch + tap * distance, lines)
    }
  }
}

/// A panel of the packed weights: each column belongs to a result channel.
struct ChannelPanel {
  var channels: Range<Int>
  /// The number of columns in memory, padding included.
  var width: Int

  /// The panels of a range of channels that begins at a panel boundary. The last panel has 16 columns if at most 16
  /// channels are left for it.
  static func all(of channels: Range<Int>, width: Int) -> [ChannelPanel] {
    stride(from: channels.lowerBound, to: channels.upperBound, by: width).map { first in
      let end = min(first + width, channels.upperBound)
      return ChannelPanel(channels: first..<end, width: end - first <= 16 ? 16 : width)
    }
  }
}

/// The strides of a pass's result and source channels in the weights, `[outputs, inputs, taps]`.
struct WeightDistances {
  let result: Int
  let source: Int

  init(_ step: Convolution) {
    let taps = step.geometry.kernel.wrappedProduct
    let output = step.geometry.inputChannels * taps
    (result, source) = step.pass == .inputGradient ? (taps, output) : (output, taps)
  }
}
