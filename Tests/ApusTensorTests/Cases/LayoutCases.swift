import Apus
import ApusTestSupport

extension OpCase {
  /// An operation that moves elements without changing them.
  private static func move(
    _ name: String, _ shapes: [[Shape]], dtypes: [DType] = numbers, derivatives: Derivatives = .second,
    _ apply: @escaping @Sendable ([Tensor]) -> Tensor, _ reference: @escaping @Sendable ([Grid]) -> Grid
  ) -> OpCase {
    OpCase(
      name, inputs: Array(repeating: .numbers(-9...9), count: shapes[0].count), shapes: shapes, dtypes: dtypes,
      tolerance: .exact, derivatives: derivatives, apply: apply, reference: reference)
  }

  private static func move(
    _ name: String, _ shapes: [Shape], dtypes: [DType] = numbers, _ apply: @escaping @Sendable (Tensor) -> Tensor,
    _ reference: @escaping @Sendable (Grid) -> Grid
  ) -> OpCase {
    .move(name, shapes.map { [$0] }, dtypes: dtypes, { apply($0[0]) }, { reference($0[0]) })
  }

  /// The element types with which operations composed of several moves are tested. Two are enough, because other cases
  /// run each single move with every type. Further types would take time: OpenCL devices build another kernel for each
  /// of them (see `TestDevice.Extent`).
  private static let twoTypes: [DType] = [.float32, .int8]

  static let layouts: [OpCase] = [
    .move(
      "reshaped", [[4, 6], [0, 3], [2, 1]], { $0.reshaped(to: [2, -1]).reshaped(to: [-1]) },
      { $0.reshaped([$0.values.count]) }),
    .move(
      "flattened", [[2, 3, 4], [2, 0, 3], [1, 1, 1]], { $0.flattened(from: 1) },
      { $0.reshaped([$0.shape[0], $0.shape[1] * $0.shape[2]]) }),
    .move(
      "transposed", [[2, 3, 4], [2, 0, 3], [1, 1, 1], [33, 2, 40]], { $0.transposed([2, 0, -2]) },
      { x in Grid([x.shape[2], x.shape[0], x.shape[1]]) { x[$0[1], $0[2], $0[0]] } }),
    .move(
      "transposed(matrix)", [[3, 4], [0, 4], [1, 1], [40, 70]], { $0.transposed() },
      { x in Grid([x.shape[1], x.shape[0]]) { x[$0[1], $0[0]] } }),
    .move(
      "broadcast", [[3, 1], [1, 1]], { $0.broadcast(to: [2, 3, 5]) },
      { x in Grid([2, 3, 5]) { x.spread($0) } }),
    .move(
      "expandingAxis", [[3, 4], [0, 4], [1, 1]], { $0.expandingAxis(at: -2) },
      { $0.reshaped([$0.shape[0], 1, $0.shape[1]]) }),
    .move(
      "squeezingAxis", [[3, 1, 4], [0, 1, 4]], { $0.squeezingAxis(at: 1) },
      { $0.reshaped([$0.shape[0], $0.shape[2]]) }),
    .move(
      "slice", [[7, 3], [8, 1], [7, 0]], { $0.slice(axis: 0, from: 1, count: 3, step: 2) },
      { x in Grid([3, x.shape[1]]) { x[1 + 2 * $0[0], $0[1]] } }),
    .move(
      "subscript(index)", [[3, 4, 2], [2, 1, 1], [2, 0, 2]], { $0[-1] },
      { x in Grid([x.shape[1], x.shape[2]]) { x[[x.shape[0] - 1] + $0] } }),
    .move(
      "subscript(ranges)", [[5, 4, 3]], { $0[1..<4, .range(from: -1, step: -2), 2] },
      { x in Grid([3, 2]) { x[1 + $0[0], 3 - 2 * $0[1], 2] } }),
    .move(
      "subscript(ellipsis)", [[5, 4, 3], [2, 4, 0], [1, 1, 1]], { $0[.ellipsis, .newAxis, ...1] },
      { x in Grid([x.shape[0], x.shape[1], 1, min(2, x.shape[2])]) { x[$0[0], $0[1], $0[3]] } }),
    .move(
      "subscript(beyond)", [[5, 4]], { $0[3..., 2..<99] }, { x in Grid([2, 2]) { x[3 + $0[0], 2 + $0[1]] } }),
    .move("subscript(empty)", [[5, 4]], { $0[4..<4, .all] }, { x in Grid([0, 4], []) }),
    .move(
      "replacing", [[[5, 4], [2, 1]]], { $0[0].replacing(.range(from: 3, to: 0, step: -2), 1...2, with: $0[1]) },
      { x in
        var result = x[0]
        for column in 1...2 {
          result[[3, column]] = x[1][0, 0]
          result[[1, column]] = x[1][1, 0]
        }
        return result
      }),
    .move(
      "replacing(index)", [[[5, 4], []]], { $0[0].replacing(2, with: $0[1]) },
      { x in Grid([5, 4]) { $0[0] == 2 ? x[1].values[0] : x[0][$0] } }),
    OpCase(
      "replacing(where)", inputs: [.numbers(-2...2), .truth], shapes: [[[3, 4], [4]], [[0], [1]]], dtypes: numbers,
      tolerance: .exact, apply: { $0[0].replacing(where: $0[1], with: 3) },
      reference: { Grid.combined($0) { $0[1] != 0 ? 3 : $0[0] } }),
    OpCase(
      "replacing(where tensor)", inputs: [.numbers(-2...2), .truth, .numbers(-2...2)],
      shapes: [[[3, 4], [4], [3, 1]], [[0], [1], [0]]],
      dtypes: numbers, tolerance: .exact, apply: { $0[0].replacing(where: $0[1], with: $0[2]) },
      reference: { Grid.combined($0) { $0[1] != 0 ? $0[2] : $0[0] } }),
    .move(
      "padded", [[2, 3], [0, 3], [1, 1]], { $0.padded(by: [(1, 2), (0, 3)], value: 7) },
      { x in
        Grid([x.shape[0] + 3, x.shape[1] + 3]) {
          (0..<x.shape[0]).contains($0[0] - 1) && $0[1] < x.shape[1] ? x[$0[0] - 1, $0[1]] : 7
        }
      }),
    .move(
      "padded(reflect)", [[3, 2, 3], [3, 0, 3], [3, 1, 4]], dtypes: twoTypes,
      { $0.padded(by: [(2, 1), (0, 0), (0, 2)], mode: .reflect) },
      { x in
        func place(_ index: Int, _ extent: Int) -> Int { index < 0 ? -index : min(index, 2 * extent - 2 - index) }
        return Grid([x.shape[0] + 3, x.shape[1], x.shape[2] + 2]) {
          x[place($0[0] - 2, x.shape[0]), $0[1], place($0[2], x.shape[2])]
        }
      }),
    .move(
      "padded(replicate)", [[3, 2], [0, 2], [1, 1]], dtypes: twoTypes,
      { $0.padded(by: [(0, 0), (2, 1)], mode: .replicate) },
      { x in Grid([x.shape[0], x.shape[1] + 3]) { x[$0[0], min(max($0[1] - 2, 0), x.shape[1] - 1)] } }),
    .move(
      "padded(circular)", [[3, 2], [3, 0], [2, 1]], dtypes: twoTypes,
      { $0.padded(by: [(2, 1), (0, 0)], mode: .circular) },
      { x in Grid([x.shape[0] + 3, x.shape[1]]) { x[($0[0] + 2 * x.shape[0] - 2) % x.shape[0], $0[1]] } }),
    .move(
      "padded(zeros)", [[3, 2], [0, 2], [1, 1]], dtypes: twoTypes,
      { $0.padded(by: [(0, 1), (1, 0)], mode: .zeros) },
      { x in Grid([x.shape[0] + 1, x.shape[1] + 1]) { $0[0] < x.shape[0] && $0[1] > 0 ? x[$0[0], $0[1] - 1] : 0 } }),
    .move(
      "concatenated", [[[2, 3], [2, 1], [2, 4]], [[0, 3], [0, 1], [0, 1]], [[2, 0], [2, 2], [2, 0]]],
      { Tensor.concatenated($0, axis: -1) },
      { x in
        let all = x.flatMap { grid in (0..<grid.shape[1]).map { column in (grid, column) } }
        return Grid([x[0].shape[0], all.count]) { all[$0[1]].0[$0[0], all[$0[1]].1] }
      }),
    .move(
      "stacked", [[[2, 3], [2, 3]], [[0, 3], [0, 3]], [[1, 1], [1, 1]]], { Tensor.stacked($0, axis: 1) },
      { x in Grid([x[0].shape[0], 2, x[0].shape[1]]) { x[$0[1]][$0[0], $0[2]] } }),
  ]

  static let rearrangements: [OpCase] = [
    .move(
      "split", [[6, 2], [9, 1], [6, 0]], { $0.split(into: [1, $0.shape[0] - 3, 2])[1] },
      { x in Grid([x.shape[0] - 3, x.shape[1]]) { x[$0[0] + 1, $0[1]] } }),
    .move(
      "split(equal)", [[2, 6], [0, 3], [1, 3]], { $0.split(3, axis: 1)[2] },
      { x in Grid([x.shape[0], x.shape[1] / 3]) { x[$0[0], $0[1] + x.shape[1] / 3 * 2] } }),
    .move(
      "flipped", [[3, 4], [0, 4], [1, 1]], { $0.flipped(axes: [0, -1]) },
      { x in Grid(x.shape) { x[x.shape[0] - 1 - $0[0], x.shape[1] - 1 - $0[1]] } }),
    .move(
      "rolled", [[3, 5], [0, 4], [1, 1]], { $0.rolled(by: [-1, 7], axes: [0, 1]) },
      { x in Grid(x.shape) { x[($0[0] + 1) % x.shape[0], ($0[1] + 7 * x.shape[1] - 7) % x.shape[1]] } }),
    .move(
      "tiled", [[3, 2], [0, 2], [1, 1]], { $0.tiled([2, 3]) },
      { x in Grid([x.shape[0] * 2, x.shape[1] * 3]) { x[$0[0] % x.shape[0], $0[1] % x.shape[1]] } }),
    .move(
      "repeated", [[3, 2], [0, 2], [1, 1]], { $0.repeated(3, axis: 0) },
      { x in Grid([x.shape[0] * 3, x.shape[1]]) { x[$0[0] / 3, $0[1]] } }),
    .move(
      "tril", [[2, 4, 3], [0, 2, 2], [1, 1, 1]], { $0.tril(-1) },
      { x in Grid(x.shape) { $0[2] - $0[1] <= -1 ? x[$0] : 0 } }),
    .move(
      "triu", [[2, 4, 3], [0, 2, 2], [1, 1, 1]], { $0.triu(1) },
      { x in Grid(x.shape) { $0[2] - $0[1] >= 1 ? x[$0] : 0 } }),
    .move(
      "diagonal", [[2, 4, 3], [0, 2, 2], [1, 1, 1]], { $0.diagonal() },
      { x in Grid([x.shape[0], min(x.shape[1], x.shape[2])]) { x[$0[0], $0[1], $0[1]] } }),
    .move(
      "diagonal(below)", [[4, 3], [0, 3], [3, 1]], { $0.diagonal(offset: -2) },
      { x in Grid([max(0, min(x.shape[0] - 2, x.shape[1]))]) { x[$0[0] + 2, $0[0]] } }),
    .move(
      "diagonal(above)", [[4, 3], [0, 3], [1, 2]], { $0.diagonal(offset: 1) },
      { x in Grid([max(0, min(x.shape[0], x.shape[1] - 1))]) { x[$0[0], $0[0] + 1] } }),
    .move(
      "diagonalMatrix", [[2, 3], [0, 3], [1, 1]], { $0.diagonalMatrix() },
      { x in Grid([x.shape[0], x.shape[1], x.shape[1]]) { $0[1] == $0[2] ? x[$0[0], $0[1]] : 0 } }),
    .move(
      "unfolded", [[2, 7, 3], [1, 3, 1], [0, 7, 3]], { $0.unfolded(axis: 1, size: 3, step: 2) },
      { x in Grid([x.shape[0], (x.shape[1] - 3) / 2 + 1, x.shape[2], 3]) { x[$0[0], $0[1] * 2 + $0[3], $0[2]] } }),
    OpCase(
      "trace", inputs: [.numbers(-2...2)], shapes: [[[2, 4, 3]], [[1, 1, 1]], [[0, 2, 2]], [[2, 0, 2]]], dtypes: floats,
      tolerance: .sum(terms: 4),
      apply: { $0[0].trace() },
      reference: { x in
        Grid([x[0].shape[0]]) { index in
          (0..<min(x[0].shape[1], x[0].shape[2])).reduce(0) { $0 + x[0][index[0], $1, $1] }
        }
      }),
  ]
}
