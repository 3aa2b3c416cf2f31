/// The positions of a sliding window along one axis.
package struct WindowPositions {
  /// The number of elements that the window spans.
  package let span: Int
  /// `extent − span`: the number of elements of the padded axis that the window does not cover; negative if the window
  /// does not fit.
  package let room: Int
  /// The number of positions, `⌊room / stride⌋ + 1`, if the window fits.
  package let count: Int

  /// - Parameter extent: the extent of the axis with its padding.
  package init(in extent: Int, kernel: Int, stride: Int, dilation: Int) {
    span = WindowPositions.span(kernel: kernel, dilation: dilation)
    room = extent - span
    count = room / stride + 1
  }

  /// The number of elements that a window spans: `dilation · (kernel − 1) + 1`.
  @inlinable
  package static func span(kernel: Int, dilation: Int) -> Int { dilation * (kernel - 1) + 1 }

  /// The number of elements that `count` windows span, from the first element of the first window to the last element
  /// of the last window: `(count − 1) · stride + span`.
  @inlinable
  package static func reach(of count: Int, kernel: Int, stride: Int, dilation: Int) -> Int {
    (count - 1) * stride + span(kernel: kernel, dilation: dilation)
  }

  /// `dilation · (kernel − 1) + 1` of each axis.
  @inlinable
  package static func span(kernel: SIMD3<Int>, dilation: SIMD3<Int>) -> SIMD3<Int> {
    dilation &* (kernel &- 1) &+ 1
  }

  /// `(count − 1) · stride + span` of each axis.
  @inlinable
  package static func reach(
    of count: SIMD3<Int>, kernel: SIMD3<Int>, stride: SIMD3<Int>, dilation: SIMD3<Int>
  ) -> SIMD3<Int> {
    (count &- 1) &* stride &+ span(kernel: kernel, dilation: dilation)
  }
}
