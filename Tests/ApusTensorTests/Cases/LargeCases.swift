import Apus
import ApusTestSupport
import Foundation

extension OpCase {
  /// A case with inputs larger than the parts into which devices divide work, such as the elements of one thread or
  /// work-item, and the tiles of a product. Only results in `float32` are compared, not derivatives.
  private static func large(
    _ name: String, _ shapes: [Shape], _ inputs: [Values]? = nil, tolerance: Tolerance,
    _ apply: @escaping @Sendable ([Tensor]) -> Tensor, _ reference: @escaping @Sendable ([Grid]) -> Grid
  ) -> OpCase {
    OpCase(
      name, inputs: inputs ?? Array(repeating: .numbers(-2...2), count: shapes.count), shapes: [shapes],
      dtypes: [.float32], tolerance: tolerance, derivatives: .none, apply: apply, reference: reference)
  }

  static let large: [OpCase] = [
    large("tanh(large)", [[100_003]], tolerance: .elementwise, { $0[0].tanh() }, { $0[0].map { tanh($0) } }),
    large(
      "+(large rows)", [[310, 331], [331]], tolerance: .elementwise, { $0[0] + $0[1] },
      { x in Grid([310, 331]) { x[0][$0] + x[1][$0[1]] } }),
    large(
      "+(large columns)", [[310, 331], [310, 1]], tolerance: .elementwise, { $0[0] + $0[1] },
      { x in Grid([310, 331]) { x[0][$0] + x[1][$0[0], 0] } }),
    large(
      "sum(large)", [[257, 513]], tolerance: .sum(terms: 257 * 513), { $0[0].sum() },
      { Grid([], [$0[0].values.reduce(0, +)]) }),
    large(
      "sum(large rows)", [[130, 1031]], tolerance: .sum(terms: 1031), { $0[0].sum(axis: 1) },
      { $0[0].reduced([1]) { $0.reduce(0, +) } }),
    large(
      "sum(large columns)", [[1031, 130]], tolerance: .sum(terms: 1031), { $0[0].sum(axis: 0) },
      { $0[0].reduced([0]) { $0.reduce(0, +) } }),
    large(
      "sum(large, channels)", [[24, 7, 31, 29]], tolerance: .sum(terms: 24 * 31 * 29), { $0[0].sum(axes: [0, 2, 3]) },
      { $0[0].reduced([0, 2, 3]) { $0.reduce(0, +) } }),
    large("max(large)", [[70_001]], tolerance: .exact, { $0[0].max() }, { Grid([], [$0[0].values.max()!]) }),
    large(
      "argmax(large)", [[3, 40_001]], tolerance: .exact, { $0[0].argmax(axis: 1) },
      { $0[0].reduced([1]) { x in Double(x.firstIndex(of: x.max()!)!) } }),
    large(
      "matmul(large)", [[131, 301], [301, 259]], tolerance: .sum(terms: 301), { $0[0].matmul($0[1]) },
      { x in
        Grid([131, 259]) { index in
          (0..<301).reduce(0) { $0 + x[0].values[index[0] * 301 + $1] * x[1].values[$1 * 259 + index[1]] }
        }
      }),
    large(
      "transposed(large)", [[301, 413]], tolerance: .exact, { $0[0].transposed() * 1 },
      { x in Grid([413, 301]) { x[0][$0[1], $0[0]] } }),
    large(
      "softmax(large)", [[70, 1003]], tolerance: .composed(steps: 16, scale: 1e-5), { $0[0].softmax() },
      {
        $0[0].lines(1) { x in
          let sum = x.reduce(0) { $0 + exp($1) }
          return x.map { exp($0) / sum }
        }
      }),
    large(
      "cumulativeSum(large)", [[3, 5003]], tolerance: .sum(terms: 5003), { $0[0].cumulativeSum(axis: 1) },
      { $0[0].lines(1, running) }),
    large(
      "cumulativeSum(large columns)", [[1500, 37]], tolerance: .sum(terms: 1500), { $0[0].cumulativeSum(axis: 0) },
      { $0[0].lines(0, running) }),
    large("sorted(large)", [[3, 5003]], tolerance: .exact, { $0[0].sorted() }, { $0[0].lines(1) { $0.sorted() } }),
    large(
      "sorted(many rows)", [[1201, 33]], tolerance: .exact, { $0[0].sorted() }, { $0[0].lines(1) { $0.sorted() } }),
    large(
      "gathering(large)", [[500, 40], [3000]], [.numbers(-2...2), .indices(bound: 500)], tolerance: .exact,
      { $0[0].gathering($0[1], axis: 0) }, { x in Grid([3000, 40]) { x[0][Int(x[1][$0[0]]), $0[1]] } }),
    large(
      "scatterAdding(large)", [[50, 40], [3000, 40], [3000, 40]],
      [.numbers(-2...2), .numbers(-2...2), .indices(bound: 50)],
      tolerance: .sum(terms: 100), { $0[0].scatterAdding($0[1], at: $0[2], axis: 0) },
      { x in
        var result = x[0]
        for index in Grid.indices([3000, 40]) { result[[Int(x[2][index]), index[1]]] += x[1][index] }
        return result
      }),
  ]

  private static func running(_ x: [Double]) -> [Double] {
    var sum = 0.0
    return x.map {
      sum += $0
      return sum
    }
  }
}
