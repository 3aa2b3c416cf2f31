import ApusDevice
import CSIMD

/// The weights of a convolution with channels last in panels of result channels, for each phase
/// `[panel][tap][source channel][result channel]`, or `[panel][source channel][tap][result channel]` where the source has
/// planes of channels; the last panel is filled with zeros up to 16 channels.
struct WindowWeights {
  private let geometry: WindowGeometry
  private let value: Int
  private let panelWidth: Int
  private let loops: UnsafePointer<csimd_table>
  private let distances: WeightDistances
  private let tapsOfRow: Int

  init(_ step: Convolution, _ geometry: WindowGeometry, _ builder: StepBuilder) {
    self.geometry = geometry
    value = step.right
    loops = builder.loops
    panelWidth = builder.loops.pointee.panel_width.0
    distances = WeightDistances(step)
    tapsOfRow = step.geometry.kernel.z
  }

  var byteCount: Int { geometry.weightCount * MemoryLayout<Float>.size }

  /// The panels of a range of channels that begins with a panel.
  func panels(of channels: Range<Int>) -> [ChannelPanel] { ChannelPanel.all(of: channels, width: panelWidth) }

  /// Where a panel begins among the packed weights.
  func offset(of panel: ChannelPanel, _ phase: WindowGeometry.Phase) -> Int {
    phase.weightOffset + panel.channels.lowerBound * phase.tapCount * geometry.source.channels
  }

  /// Fills the panels.
  func pack(_ context: borrowing RunContext, into target: UnsafeMutablePointer<Float>) {
    let weights = UnsafePointer(context.pointer(value, as: Float.self))
    let panels = panels(of: 0..<geometry.results.channels)
    // The sources of a task: enough numbers for one.
    let grain = max(1, 32768 / (panelWidth * max(1, geometry.phases[0].tapCount)))
    let blocks = (geometry.source.channels + grain - 1) / grain
    context.pool.run(geometry.phases.count * panels.count * blocks) { task, _ in
      let (rest, block) = task.quotientAndRemainder(dividingBy: blocks)
      let (number, place) = rest.quotientAndRemainder(dividingBy: panels.count)
      let (phase, panel) = (geometry.phases[number], panels[place])
      let sources = (block * grain)..<min((block + 1) * grain, geometry.source.channels)
      pack(panel, phase, sources, weights, target + offset(of: panel, phase))
    }
  }

  private func pack(
    _ panel: ChannelPanel, _ phase: WindowGeometry.Phase, _ sources: Range<Int>, _ weights: UnsafePointer<Float>,
    _ target: UnsafeMutablePointer<Float>
  ) {
    if geometry.source.isPlanar {
      // The taps are all there, in order.
      let rows = sources.count * phase.tapCount
      loops.pointee.pack_taps(
        panel.channels.count, panel.width, rows, 1, [0],
        weights + panel.channels.lowerBound * distances.result + sources.lowerBound * distances.source,
        distances.result, 1, target + sources.lowerBound * phase.tapCount * panel.width, 0)
      return
    }
    let taps = phase.y.weightTaps.flatMap { y in phase.x.weightTaps.map { y * tapsOfRow + $0 } }
    loops.pointee.pack_taps(
      panel.channels.count, panel.width, sources.count, taps.count, taps,
      weights + panel.channels.lowerBound * distances.result + sources.lowerBound * distances.source,
      distances.result, distances.source, target + sources.lowerBound * panel.width,
      geometry.source.channels * panel.width)
  }
}

/// Channels of the result that are columns side by side.
struct ChannelPanel {
  var channels: Range<Int>
  /// The columns of the panel in memory.
  var width: Int

  /// The panels of a range of channels that begins with a panel; the last one may be narrow.
  static func all(of channels: Range<Int>, width: Int) -> [ChannelPanel] {
    stride(from: channels.lowerBound, to: channels.upperBound, by: width).map { first in
      let end = min(first + width, channels.upperBound)
      return ChannelPanel(channels: first..<end, width: end - first <= 16 ? 16 : width)
    }
  }
}

/// The distances of a pass's result and source channels among the weights, `[outputs, inputs, taps]`.
struct WeightDistances {
  let result: Int
  let source: Int

  init(_ step: Convolution) {
    let taps = step.geometry.kernel.wrappedProduct
    let output = step.geometry.inputChannels * taps
    (result, source) = step.pass == .inputGradient ? (taps, output) : (output, taps)
  }
}
