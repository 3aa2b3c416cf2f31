import ApusDevice
import ApusSystem

/// One spatial axis of a convolution's pass: its results, and the taps (positions in the kernel) of each result.
///
/// Result `j` has position `first + j·step`. Its tap `t` reads position `j·stride + t·dilation + offset` of the source
/// (the input or, for the input gradient, the output's gradient), unless that position is outside of the source.
struct WindowAxis {
  /// Consecutive results with the same taps inside of the source.
  struct Segment {
    var results: Range<Int>
    var taps: Range<Int>
  }

  let count: Int
  let first: Int
  let step: Int
  let stride: Int
  let dilation: Int
  let offset: Int
  let segments: [Segment]
  /// The index of each tap in the weights.
  let weightTaps: [Int]

  private init(
    count: Int, first: Int, step: Int, stride: Int, dilation: Int, offset: Int, weightTaps: [Int], source: Int
  ) {
    (self.count, self.first, self.step) = (count, first, step)
    (self.stride, self.dilation, self.offset, self.weightTaps) = (stride, dilation, offset, weightTaps)
    var segments: [Segment] = []
    for result in 0..<count {
      let inside = weightTaps.indices.filter { (0..<source).contains(result * stride + $0 * dilation + offset) }
      let taps = inside.isEmpty ? 0..<0 : inside[0]..<(inside.last! + 1)
      if segments.last?.taps == taps {
        segments[segments.count - 1].results = segments.last!.results.lowerBound..<(result + 1)
      } else {
        segments.append(Segment(results: result..<(result + 1), taps: taps))
      }
    }
    self.segments = segments
  }

  /// An axis of the pass that computes the output or the weight gradient.
  init(outputOf g: ConvolutionGeometry, axis: Int) {
    self.init(
      count: g.output[axis], first: 0, step: 1, stride: g.stride[axis], dilation: g.dilation[axis],
      offset: -g.padding[axis], weightTaps: Array(0..<g.kernel[axis]), source: g.input[axis])
  }

  /// An axis of the input gradient, for one of `stride` phases: the inputs at positions `phase`, `phase + stride`, … In
  /// the forward pass, only every `stride`-th tap reads these inputs. Their gradient is the convolution of the output's
  /// gradient with these taps in reversed order.
  ///
  /// - Precondition: the stride or the dilation is 1.
  init(inputGradientOf g: ConvolutionGeometry, axis: Int, phase: Int) {
    let (stride, dilation, padding) = (g.stride[axis], g.dilation[axis], g.padding[axis])
    precondition(stride == 1 || dilation == 1, "the input gradient needs a stride or a dilation of 1")
    let firstTap = stride == 1 ? 0 : (phase + padding) % stride
    let taps = Array(Swift.stride(from: firstTap, to: g.kernel[axis], by: stride)).reversed() as [Int]
    self.init(
      count: ceilDivide(g.input[axis] - phase, stride), first: phase, step: stride, stride: 1, dilation: dilation,
      offset: (phase + padding - firstTap) / stride - (taps.count - 1) * dilation, weightTaps: taps,
      source: g.output[axis])
  }

  /// The source position that the first tap of a segment's first result reads.
  func start(of segment: Segment) -> Int {
    segment.results.lowerBound * stride + segment.taps.lowerBound * dilation + offset
  }

  /// The results whose positions lie in a range.
  func results(in positions: Range<Int>) -> Range<Int> {
    func ordinal(_ position: Int) -> Int { min(count, max(0, ceilDivide(position - first, step))) }
    let start = ordinal(positions.lowerBound)
    return start..<max(start, ordinal(positions.upperBound))
  }
}
