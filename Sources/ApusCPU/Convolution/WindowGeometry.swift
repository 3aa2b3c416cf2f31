import ApusDevice
import ApusCSIMD
import ApusSystem

/// A pass of a convolution that reads windows of its source. The source is the input or, for the input gradient, the
/// output's gradient. The results are divided into phases (see `Phase`): the output and the weight gradient have one
/// phase, the input gradient has one for each pixel position modulo the stride.
struct WindowGeometry {
  /// The extents of an image `[height, width, channels]`, or `[channels, height, width]` if `isPlanar`.
  struct Extent {
    var height: Int
    var width: Int
    var channels: Int
    var isPlanar = false

    /// The strides of pixels, rows, channels and images.
    var pixel: Int { isPlanar ? 1 : channels }
    var row: Int { width * pixel }
    var channel: Int { isPlanar ? height * width : 1 }
    var image: Int { height * width * channels }
  }

  /// Results whose positions differ by multiples of the stride, and which read taps at the same relative offsets. A tap
  /// is one position of the convolution kernel.
  struct Phase {
    let y: WindowAxis
    let x: WindowAxis
    /// The offset of the phase's weights in the packed weights.
    let weightOffset: Int

    var tapCount: Int { y.weightTaps.count * x.weightTaps.count }
  }

  let images: Int
  let source: Extent
  let results: Extent
  let phases: [Phase]
  /// Elements of the packed weights.
  let weightCount: Int

  /// - Parameter channelsOfWord: the number of source channels in a 32-bit word; a word counts as one channel.
  init(
    _ g: ConvolutionGeometry, pass: Convolution.Pass, order: Convolution.Order = .channelsLast, channelsOfWord: Int = 1
  ) {
    let g = g.withLongestRows
    images = g.batch * g.input.x
    let input = Extent(height: g.input.y, width: g.input.z, channels: g.inputChannels, isPlanar: order != .channelsLast)
    let output = Extent(
      height: g.output.y, width: g.output.z, channels: g.outputChannels, isPlanar: order == .channelsFirst)
    let isGradient = pass == .inputGradient
    var source = isGradient ? output : input
    source.channels /= channelsOfWord
    (self.source, results) = (source, isGradient ? input : output)
    var phases: [Phase] = []
    var offset = 0
    let height = source.channels * roundUp(results.channels, toMultipleOf: 16)
    for y in 0..<(isGradient ? g.stride.y : 1) {
      for x in 0..<(isGradient ? g.stride.z : 1) {
        let phase = Phase(
          y: isGradient ? WindowAxis(inputGradientOf: g, axis: 1, phase: y) : WindowAxis(outputOf: g, axis: 1),
          x: isGradient ? WindowAxis(inputGradientOf: g, axis: 2, phase: x) : WindowAxis(outputOf: g, axis: 2),
          weightOffset: offset)
        phases.append(phase)
        offset += phase.tapCount * height
      }
    }
    self.phases = phases
    weightCount = offset
  }

  /// The number of taps inside of the source, summed over all results of an image.
  var tapCountOfImage: Int {
    func taps(_ axis: WindowAxis) -> Int { axis.segments.reduce(0) { $0 + $1.results.count * $1.taps.count } }
    return phases.reduce(0) { $0 + taps($1.y) * taps($1.x) }
  }

  /// Multiply-adds per result; taps in the padding are counted too.
  var work: Int { phases.reduce(0) { $0 + $1.tapCount } * source.channels / phases.count }
}

/// The lines of the source and of the weights that a result reads; a line is a run of contiguous elements. All results
/// whose rows are in segment `y` and whose columns are in segment `x` read the same taps, so one description of the
/// lines applies to them.
struct WindowLines {
  private let lines: csimd_lines
  /// The row of the first tap within a panel (the packed weights of some result channels).
  private let firstRow: Int

  init(_ phase: WindowGeometry.Phase, y: WindowAxis.Segment, x: WindowAxis.Segment, _ source: WindowGeometry.Extent) {
    var lines = csimd_lines()
    lines.a_step = 1
    if source.isPlanar {
      // There is one line for each channel and row of taps.
      let perLine = phase.x.weightTaps.count
      firstRow = y.taps.lowerBound * perLine + x.taps.lowerBound
      lines.count = (source.channels, y.taps.count)
      lines.a = (source.channel, phase.y.dilation * source.row)
      lines.b = (phase.tapCount, perLine)
      lines.k = x.taps.count
      self.lines = lines
      return
    }
    let perLine = phase.x.weightTaps.count * source.channels
    firstRow = y.taps.lowerBound * perLine + x.taps.lowerBound * source.channels
    // The taps of a row form one line if they are adjacent in memory.
    let isDense = phase.x.dilation == 1
    lines.count = (y.taps.count, isDense ? min(1, x.taps.count) : x.taps.count)
    lines.a = (phase.y.dilation * source.row, phase.x.dilation * source.channels)
    lines.b = (perLine, source.channels)
    lines.k = isDense ? x.taps.count * source.channels : source.channels
    self.lines = lines
  }

  /// The lines for a panel with `width` columns (result channels), and the offset at which they start in the panel.
  func inPanel(width: Int) -> (lines: csimd_lines, start: Int) {
    var lines = lines
    lines.b.0 *= width
    lines.b.1 *= width
    return (lines, firstRow * width)
  }
}

extension ConvolutionGeometry {
  /// An equivalent geometry whose images are one row, if the convolution is pointwise; otherwise the same geometry.
  fileprivate var withLongestRows: ConvolutionGeometry {
    guard isPointwise else { return self }
    var g = self
    g.input = SIMD3(1, 1, input.wrappedProduct)
    g.output = g.input
    return g
  }
}
