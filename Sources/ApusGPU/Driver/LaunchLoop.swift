/// A range of launches that runs several times. Each iteration reads its geometry (extents, strides and offsets, in an
/// array of numbers) `geometryStride` numbers after the geometry of the previous iteration.
struct LaunchLoop: Sendable {
  var range: Range<Int>
  var count: Int
  var geometryStride: Int
}

extension [LaunchLoop] {
  /// Calls `body` for each launch of a range, in the order in which a replay runs them. For the launches of a loop,
  /// calls `body` once per iteration. In the array, an inner loop follows the loop that contains it. The range must not
  /// split a loop.
  ///
  /// - Parameter body: receives the index of the launch and, inside a loop, the number to add to the launch's geometry
  ///   offset in this iteration. Outside of loops, the number is `nil`.
  func forEachLaunch<E: Error>(
    in launches: Range<Int>, _ body: (_ launch: Int, _ shift: Int?) throws(E) -> Void
  ) throws(E) {
    let loops = filter { launches.contains($0.range.lowerBound) }
    try loops[...].forEachLaunch(in: launches, shift: nil, body)
  }
}

extension ArraySlice<LaunchLoop> {
  fileprivate func forEachLaunch<E: Error>(
    in launches: Range<Int>, shift: Int?, _ body: (_ launch: Int, _ shift: Int?) throws(E) -> Void
  ) throws(E) {
    var loops = self
    var index = launches.lowerBound
    while index < launches.upperBound {
      guard let loop = loops.first, loop.range.lowerBound == index else {
        try body(index, shift)
        index += 1
        continue
      }
      let inner = loops.dropFirst().prefix { $0.range.lowerBound < loop.range.upperBound }
      for iteration in 0..<loop.count {
        let shift = (shift ?? 0) + iteration * loop.geometryStride
        try inner.forEachLaunch(in: loop.range, shift: shift, body)
      }
      loops = loops.dropFirst(1 + inner.count)
      index = loop.range.upperBound
    }
  }
}
