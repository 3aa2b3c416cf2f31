import Apus
import ApusTestSupport

extension OpCase {
  /// Returns the results of `function` for all windows. `function` receives the elements of a window that are inside of
  /// `x`, and the size of the window, which includes padding. `bounds(axis, i)` returns the first index of window `i`
  /// along a spatial axis, and the index after the last one. Both may be outside of `x`. `step` is the dilation.
  private static func pool(
    _ x: Grid, _ output: [Int], step: Int = 1, _ bounds: (Int, Int) -> (Int, Int), _ function: ([Double], Int) -> Double
  ) -> Grid {
    Grid(Shape(Array(x.shape.prefix(2)) + output)) { index in
      var places: [[Int]] = [Array(index.prefix(2))]
      var size = 1
      for axis in output.indices {
        let (start, end) = bounds(axis, index[axis + 2])
        let taken = stride(from: start, to: end, by: step)
        size *= Array(taken).count
        places = places.flatMap { place in
          taken.filter { (0..<x.shape[axis + 2]).contains($0) }.map { place + [$0] }
        }
      }
      return function(places.map { x[$0] }, size)
    }
  }

  private static func largest(_ x: [Double], _ size: Int) -> Double { x.max()! }
  private static func mean(_ x: [Double], _ size: Int) -> Double { x.reduce(0, +) / Double(size) }
  private static func meanInside(_ x: [Double], _ size: Int) -> Double { x.reduce(0, +) / Double(x.count) }

  private static func pooling(
    _ name: String, _ shapes: [Shape], tolerance: Tolerance = .sum(terms: 16),
    _ apply: @escaping @Sendable (Tensor) -> Tensor, _ reference: @escaping @Sendable (Grid) -> Grid
  ) -> OpCase {
    OpCase(
      name, inputs: [.numbers(-4...4)], shapes: shapes.map { [$0] }, tolerance: tolerance,
      apply: { apply($0[0]) }, reference: { reference($0[0]) })
  }

  static let poolings: [OpCase] = [
    pooling("maxPooled", [[2, 3, 6, 4], [1, 1, 2, 2], [0, 3, 4, 4]], tolerance: .exact, { $0.maxPooled([2, 2]) }) { x in
      pool(x, [x.shape[2] / 2, x.shape[3] / 2], { ($1 * 2, $1 * 2 + 2) }, largest)
    },
    pooling(
      "maxPooled(padded)", [[2, 2, 7, 6], [0, 2, 7, 6], [1, 1, 7, 6]], tolerance: .exact,
      { $0.maxPooled([3, 2], stride: [2, 1], padding: [(1, 1), (1, 0)]) }
    ) { x in
      pool(x, [4, 6], { $0 == 0 ? ($1 * 2 - 1, $1 * 2 + 2) : ($1 - 1, $1 + 1) }, largest)
    },
    pooling(
      "maxPooled(dilated)", [[1, 2, 9], [0, 2, 9]], tolerance: .exact, { $0.maxPooled([3], stride: [2], dilation: [2]) }
    ) { x in pool(x, [3], step: 2, { ($1 * 2, $1 * 2 + 5) }, largest) },
    pooling(
      "maxPooled(rounding up)", [[1, 2, 6], [0, 2, 6]], tolerance: .exact,
      { $0.maxPooled([3], stride: [2], roundsUp: true) }
    ) { x in pool(x, [3], { ($1 * 2, $1 * 2 + 3) }, largest) },
    pooling("maxPooled(rank 3)", [[1, 2, 4, 4, 2], [1, 0, 4, 4, 2]], tolerance: .exact, { $0.maxPooled([2]) }) { x in
      pool(x, [2, 2, 1], { ($1 * 2, $1 * 2 + 2) }, largest)
    },
    // The derivative with respect to the seed contains `maxPoolSelect`, so the second derivative uses the gradient rule
    // of `maxPoolSelect`.
    OpCase(
      "maxPooled(gradient)", inputs: [.numbers(-4...4), .numbers(-2...2)],
      shapes: [[[2, 2, 4, 6], [2, 2, 2, 3]], [[1, 1, 2, 2], [1, 1, 1, 1]], [[0, 3, 4, 4], [0, 3, 2, 2]]],
      tolerance: .exact,
      apply: { gradients(of: $0[0].maxPooled([2, 2]), withRespectTo: [$0[0]], seed: $0[1])[0] },
      reference: { grids in
        let (x, seed) = (grids[0], grids[1])
        var result = x.map { _ in 0 }
        for index in Grid.indices(seed.shape) {
          let window = [[0, 0], [0, 1], [1, 0], [1, 1]].map {
            [index[0], index[1], index[2] * 2 + $0[0], index[3] * 2 + $0[1]]
          }
          let top = largest(window.map { x[$0] }, 4)
          result[window.first { x[$0] == top }!] = seed[index]
        }
        return result
      }),
    pooling("averagePooled", [[2, 3, 6, 4], [1, 1, 2, 2], [0, 3, 4, 4]], { $0.averagePooled([2, 2]) }) { x in
      pool(x, [x.shape[2] / 2, x.shape[3] / 2], { ($1 * 2, $1 * 2 + 2) }, mean)
    },
    pooling(
      "averagePooled(padded)", [[2, 2, 6], [0, 2, 6], [1, 1, 6]],
      { $0.averagePooled([3], stride: [2], padding: [(1, 1)]) }
    ) { x in
      pool(x, [3], { ($1 * 2 - 1, $1 * 2 + 2) }, mean)
    },
    pooling(
      "averagePooled(inside)", [[2, 2, 6], [0, 2, 6], [1, 1, 6]],
      { $0.averagePooled([3], stride: [2], padding: [(1, 1)], countsPadding: false) }
    ) { x in pool(x, [3], { ($1 * 2 - 1, $1 * 2 + 2) }, meanInside) },
    pooling(
      "averagePooled(rounding up)", [[2, 1, 6, 5], [0, 1, 6, 5], [1, 1, 6, 5]],
      { $0.averagePooled([3, 2], stride: [3, 2], padding: [(1, 1), (0, 0)], roundsUp: true) }
    ) { x in
      pool(x, [3, 3], { $0 == 0 ? ($1 * 3 - 1, min($1 * 3 + 2, 7)) : ($1 * 2, min($1 * 2 + 2, 5)) }, mean)
    },
    pooling(
      "adaptiveAveragePooled", [[2, 3, 7, 5], [1, 1, 2, 2], [0, 1, 3, 4]], { $0.adaptiveAveragePooled([3, 2]) }
    ) { x in
      pool(x, [3, 2], adaptive(x, [3, 2]), mean)
    },
    pooling(
      "adaptiveAveragePooled(one)", [[2, 3, 7, 5], [0, 3, 7, 5], [1, 1, 1, 1]], tolerance: .sum(terms: 35),
      { $0.adaptiveAveragePooled([1]) }
    ) { x in
      pool(x, [1, 1], { (0, x.shape[$0 + 2] + 0 * $1) }, mean)
    },
    pooling("adaptiveAveragePooled(even)", [[2, 3, 6], [0, 3, 6], [1, 1, 6]], { $0.adaptiveAveragePooled([3]) }) { x in
      pool(x, [3], { ($1 * 2, $1 * 2 + 2) }, mean)
    },
    pooling(
      "adaptiveMaxPooled", [[2, 3, 7, 5], [1, 1, 2, 2], [0, 1, 3, 4]], tolerance: .exact,
      { $0.adaptiveMaxPooled([3, 2]) }
    ) {
      x in
      pool(x, [3, 2], adaptive(x, [3, 2]), largest)
    },
  ]

  private static func adaptive(_ x: Grid, _ output: [Int]) -> (Int, Int) -> (Int, Int) {
    { axis, index in
      let extent = x.shape[axis + 2]
      return (index * extent / output[axis], ((index + 1) * extent + output[axis] - 1) / output[axis])
    }
  }

  /// Linear interpolation along one axis, by definition.
  private static func stretch(_ x: Grid, _ axis: Int, _ count: Int, aligned: Bool) -> Grid {
    x.lines(axis, count: count) { line in
      (0..<count).map { index in
        let scale = aligned ? Double(line.count - 1) / Double(max(count - 1, 1)) : Double(line.count) / Double(count)
        let place = aligned ? Double(index) * scale : max((Double(index) + 0.5) * scale - 0.5, 0)
        let low = min(Int(place), line.count - 1)
        let high = min(low + 1, line.count - 1)
        return line[low] + (place - Double(low)) * (line[high] - line[low])
      }
    }
  }

  private static func nearest(_ x: Grid, _ axis: Int, _ count: Int) -> Grid {
    x.lines(axis, count: count) { line in (0..<count).map { line[$0 * line.count / count] } }
  }

  static let resizes: [OpCase] = [
    pooling(
      "resized", [[2, 2, 3, 5], [1, 1, 1, 1], [0, 2, 3, 5]], tolerance: .composed(steps: 8, scale: 8),
      { $0.resized(to: [7, 3]) }
    ) {
      stretch(stretch($0, 2, 7, aligned: false), 3, 3, aligned: false)
    },
    pooling(
      "resized(aligned)", [[2, 2, 3, 5], [1, 1, 2, 1], [0, 2, 3, 5]], tolerance: .composed(steps: 8, scale: 8),
      { $0.resized(to: [7, 4], alignsCorners: true) }
    ) { stretch(stretch($0, 2, 7, aligned: true), 3, 4, aligned: true) },
    pooling(
      "resized(nearest)", [[2, 2, 3, 5], [1, 1, 2, 6], [2, 0, 3, 5]], tolerance: .exact,
      { $0.resized(to: [7, 3], by: .nearest) }
    ) {
      nearest(nearest($0, 2, 7), 3, 3)
    },
    pooling(
      "resized(doubled)", [[2, 2, 3, 4], [1, 1, 3, 4], [0, 1, 3, 4]], tolerance: .exact,
      { $0.resized(to: [6, 2], by: .nearest) }
    ) {
      nearest(nearest($0, 2, 6), 3, 2)
    },
  ]
}
