import ApusDevice
import CSIMD

/// The weights of a convolution with channels last in panels of result channels, for each phase
/// `[panel][tap][source channel][result channel]`; the last panel is filled with zeros up to 16 channels.
struct WindowWeights {
  struct Panel {
    var channels: Range<Int>
    /// The columns of the panel in memory.
    var width: Int
  }

  private let geometry: WindowGeometry
  private let value: Int
  private let panelWidth: Int
  private let loops: UnsafePointer<csimd_table>
  /// The distances of result and source channels and of rows of taps among the weights as they come.
  private let distances: (result: Int, source: Int, row: Int)

  init(_ step: Convolution, _ geometry: WindowGeometry, _ builder: StepBuilder) {
    self.geometry = geometry
    value = step.right
    loops = builder.loops
    panelWidth = builder.loops.pointee.panel_width.0
    let taps = step.geometry.kernel.wrappedProduct
    let (outputs, inputs) = (step.geometry.inputChannels * taps, taps)
    distances =
      step.pass == .inputGradient
      ? (inputs, outputs, step.geometry.kernel.z) : (outputs, inputs, step.geometry.kernel.z)
  }

  var byteCount: Int { geometry.weightCount * MemoryLayout<Float>.size }

  /// The panels of a range of channels that begins with a panel.
  func panels(of channels: Range<Int>) -> [Panel] {
    stride(from: channels.lowerBound, to: channels.upperBound, by: panelWidth).map { first in
      let end = min(first + panelWidth, channels.upperBound)
      return Panel(channels: first..<end, width: end - first <= 16 ? 16 : panelWidth)
    }
  }

  /// Where a panel begins among the packed weights.
  func offset(of panel: Panel, _ phase: WindowGeometry.Phase) -> Int {
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
    _ panel: Panel, _ phase: WindowGeometry.Phase, _ sources: Range<Int>, _ weights: UnsafePointer<Float>,
    _ target: UnsafeMutablePointer<Float>
  ) {
    let taps = phase.y.weightTaps.flatMap { y in phase.x.weightTaps.map { y * distances.row + $0 } }
    loops.pointee.pack_taps(
      panel.channels.count, panel.width, sources.count, taps.count, taps,
      weights + panel.channels.lowerBound * distances.result + sources.lowerBound * distances.source,
      distances.result, distances.source, target + sources.lowerBound * panel.width,
      geometry.source.channels * panel.width)
  }
}
