import Apus
import ApusTestSupport

/// The stride, padding and dilation of a convolution along one axis.
private struct Slide: Sendable {
  var stride = 1
  var before = 0
  var after = 0
  var dilation = 1

  func count(_ extent: Int, _ kernel: Int) -> Int {
    (extent + before + after - dilation * (kernel - 1) - 1) / stride + 1
  }
}

extension OpCase {
  /// The definition of a convolution: `y[n, k, o] = Σ x[n, c, o·stride + r·dilation − before]·w[k, c, r]` over the
  /// input channels `c` of the group and the kernel positions `r`, for image `n`, output channel `k` and position `o`.
  /// In `x`, `c` counts from the first input channel of the group.
  private static func convolve(_ x: Grid, _ w: Grid, _ slides: [Slide], groups: Int) -> Grid {
    let spatial = slides.indices.map { slides[$0].count(x.shape[$0 + 2], w.shape[$0 + 2]) }
    return Grid(Shape([x.shape[0], w.shape[0]] + spatial)) { index in
      let first = index[1] / (w.shape[0] / groups) * w.shape[1]
      return Grid.indices(Shape(w.shape.dropFirst())).reduce(0) { sum, tap in
        let place = slides.indices.map {
          index[$0 + 2] * slides[$0].stride + tap[$0 + 1] * slides[$0].dilation - slides[$0].before
        }
        guard slides.indices.allSatisfy({ (0..<x.shape[$0 + 2]).contains(place[$0]) }) else { return sum }
        return sum + x[[index[0], first + tap[0]] + place] * w[[index[1]] + tap]
      }
    }
  }

  /// The definition of a transposed convolution. For image `n`, input channel `c`, output channel `k`, input position
  /// `i` and kernel position `r`, it adds `x[n, c, i]·w[c, k, r]` to `y[n, k, o]`, where
  /// `o = i·stride + r·dilation − before`. In `y`, `k` counts from the first output channel of the group. `extra` is
  /// the output padding.
  private static func transposeConvolve(
    _ x: Grid, _ w: Grid, _ slides: [Slide], groups: Int, extra: [Int]
  ) -> Grid {
    let spatial = slides.indices.map { axis -> Int in
      let s = slides[axis]
      return (x.shape[axis + 2] - 1) * s.stride - s.before - s.after + s.dilation * (w.shape[axis + 2] - 1)
        + extra[axis] + 1
    }
    var result = Grid(Shape([x.shape[0], w.shape[1] * groups] + spatial)) { _ in 0 }
    let perGroup = x.shape[1] / groups
    for index in Grid.indices(x.shape) {
      for tap in Grid.indices(Shape(w.shape.dropFirst())) {
        let place = slides.indices.map {
          index[$0 + 2] * slides[$0].stride + tap[$0 + 1] * slides[$0].dilation - slides[$0].before
        }
        guard slides.indices.allSatisfy({ (0..<spatial[$0]).contains(place[$0]) }) else { continue }
        result[[index[0], index[1] / perGroup * w.shape[1] + tap[0]] + place] += x[index] * w[[index[1]] + tap]
      }
    }
    return result
  }

  private static func convolution(
    _ name: String, _ shapes: [[Shape]], _ slides: [Slide], groups: Int = 1
  ) -> OpCase {
    OpCase(
      name, inputs: [.numbers(-2...2), .numbers(-2...2)], shapes: shapes, tolerance: .sum(terms: 100),
      apply: {
        $0[0].convolved(
          with: $0[1], stride: slides.map(\.stride), padding: slides.map { ($0.before, $0.after) },
          dilation: slides.map(\.dilation), groups: groups)
      },
      reference: { convolve($0[0], $0[1], slides, groups: groups) })
  }

  private static func transposed(
    _ name: String, _ shapes: [[Shape]], _ slides: [Slide], groups: Int = 1, extra: [Int]
  ) -> OpCase {
    OpCase(
      name, inputs: [.numbers(-2...2), .numbers(-2...2)], shapes: shapes, tolerance: .sum(terms: 100),
      apply: {
        $0[0].transposeConvolved(
          with: $0[1], stride: slides.map(\.stride), padding: slides.map { ($0.before, $0.after) },
          outputPadding: extra, dilation: slides.map(\.dilation), groups: groups)
      },
      reference: { transposeConvolve($0[0], $0[1], slides, groups: groups, extra: extra) })
  }

  static let convolutions: [OpCase] = [
    OpCase(
      "convolved(8 bits)", inputs: [.numbers(-99...99), .numbers(-99...99)],
      shapes: [[[2, 3, 5, 6], [4, 3, 3, 2]], [[0, 3, 5, 6], [4, 3, 3, 2]], [[1, 1, 1, 1], [1, 1, 1, 1]]],
      dtypes: [.int8, .uint8], tolerance: .exact, derivatives: .none, apply: { $0[0].convolved(with: $0[1]) },
      reference: { convolve($0[0], $0[1], [Slide(), Slide()], groups: 1) }),
    convolution(
      "convolved",
      [
        [[2, 3, 5, 6], [4, 3, 3, 2]], [[1, 1, 1, 1], [1, 1, 1, 1]], [[2, 4, 9, 9], [8, 4, 5, 5]],
        [[0, 3, 5, 6], [4, 3, 3, 2]],
      ],
      [Slide(), Slide()]),
    convolution(
      "convolved(padded)",
      [
        [[2, 3, 5, 6], [4, 3, 3, 3]], [[3, 16, 8, 8], [16, 16, 3, 3]], [[0, 3, 5, 6], [4, 3, 3, 3]],
        [[1, 1, 1, 1], [1, 1, 3, 3]],
      ],
      [Slide(before: 1, after: 1), Slide(before: 1, after: 1)]),
    convolution(
      "convolved(uneven)", [[[1, 2, 7, 6], [3, 2, 3, 2]], [[0, 2, 7, 6], [3, 2, 3, 2]]],
      [Slide(stride: 2, before: 2, after: 1), Slide(stride: 3, before: 0, after: 1, dilation: 2)]),
    convolution(
      "convolved(groups)",
      [[[2, 4, 5, 5], [6, 2, 3, 3]], [[0, 4, 5, 5], [6, 2, 3, 3]], [[1, 2, 3, 3], [2, 1, 3, 3]]],
      [Slide(), Slide(stride: 2)], groups: 2),
    convolution(
      "convolved(depthwise)", [[[2, 3, 5, 5], [3, 1, 3, 3]], [[0, 3, 5, 5], [3, 1, 3, 3]]],
      [Slide(before: 1, after: 1), Slide(before: 1, after: 1)],
      groups: 3),
    convolution(
      "convolved(1×1)", [[[2, 5, 4, 3], [7, 5, 1, 1]], [[0, 5, 4, 3], [7, 5, 1, 1]]], [Slide(), Slide()]),
    convolution(
      "convolved(rank 1)", [[[2, 3, 9], [4, 3, 4]], [[0, 3, 9], [4, 3, 4]], [[1, 1, 1], [1, 1, 4]]],
      [Slide(stride: 2, before: 1, after: 2)]),
    convolution(
      "convolved(rank 3)", [[[1, 2, 4, 5, 4], [3, 2, 2, 3, 2]], [[0, 2, 4, 5, 4], [3, 2, 2, 3, 2]]],
      [Slide(before: 1), Slide(stride: 2), Slide()]),
    transposed(
      "transposeConvolved",
      [[[2, 3, 4, 3], [3, 2, 3, 2]], [[0, 3, 4, 3], [3, 2, 3, 2]], [[1, 1, 1, 1], [1, 1, 1, 1]]], [Slide(), Slide()],
      extra: [0, 0]),
    transposed(
      "transposeConvolved(strides)", [[[1, 4, 3, 4], [4, 3, 3, 3]], [[0, 4, 3, 4], [4, 3, 3, 3]]],
      [Slide(stride: 2, before: 1, after: 1), Slide(stride: 3, before: 0, after: 1)], groups: 2, extra: [1, 2]),
    transposed(
      "transposeConvolved(rank 1)", [[[2, 3, 5], [3, 4, 3]], [[0, 3, 5], [3, 4, 3]], [[1, 1, 1], [1, 1, 1]]],
      [Slide(stride: 2, before: 1, after: 0, dilation: 2)],
      extra: [1]),
  ]
}
