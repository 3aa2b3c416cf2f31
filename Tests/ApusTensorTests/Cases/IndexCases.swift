import Apus
import ApusTestSupport

extension OpCase {
  static let indexing: [OpCase] = [
    OpCase(
      "gathering", inputs: [.numbers(-9...9), .indices(bound: 5, wraps: true)],
      shapes: [[[5, 3], [2, 4]], [[5, 1], [0]], [[5, 0], [3]], [[5, 2], []]], dtypes: numbers, tolerance: .exact,
      apply: { $0[0].gathering($0[1], axis: 0) },
      reference: { x in
        Grid(Shape(Array(x[1].shape) + x[0].shape.dropFirst())) { index in
          let place = Int(x[1][Array(index.prefix(x[1].rank))])
          return x[0][[place < 0 ? place + 5 : place] + index.dropFirst(x[1].rank)]
        }
      }),
    OpCase(
      "gathering(inner axis)", inputs: [.numbers(-9...9), .indices(bound: 3)],
      shapes: [[[2, 3, 4], [5]], [[0, 3, 4], [5]], [[1, 3, 1], [1]]],
      dtypes: numbers, tolerance: .exact, apply: { $0[0].gathering($0[1], axis: 1) },
      reference: { x in Grid([x[0].shape[0], x[1].shape[0], x[0].shape[2]]) { x[0][$0[0], Int(x[1][$0[1]]), $0[2]] } }),
    OpCase(
      "takingAlong", inputs: [.numbers(-9...9), .indices(bound: 3, wraps: true)],
      shapes: [[[4, 3], [4, 5]], [[4, 3], [2, 1]], [[0, 3], [0, 3]]], dtypes: numbers, tolerance: .exact,
      apply: { $0[0].takingAlong($0[1], axis: 1) },
      reference: { x in
        Grid(x[1].shape) {
          let place = Int(x[1][$0])
          return x[0][$0[0], place < 0 ? place + 3 : place]
        }
      }),
    OpCase(
      "picking", inputs: [.numbers(-9...9), .indices(bound: 3)],
      shapes: [[[4, 3], [4]], [[2, 3, 5], [2, 5]], [[0, 3], [0]], [[1, 3, 1], [1, 1]]],
      dtypes: numbers, tolerance: .exact, apply: { $0[0].picking($0[1], axis: 1, for: "pick") },
      reference: { x in
        Grid(x[1].shape) { place in x[0][[place[0], Int(x[1][place])] + place.dropFirst()] }
      }),
    OpCase(
      "scatterAdding", inputs: [.numbers(-4...4), .numbers(-4...4), .indices(bound: 3, wraps: true)],
      shapes: [[[2, 3], [2, 6], [2, 6]], [[2, 3], [2, 0], [2, 0]], [[1, 3], [1, 1], [1, 1]]],
      dtypes: floats + [.int32, .int64],
      tolerance: .sum(terms: 8), apply: { $0[0].scatterAdding($0[1], at: $0[2], axis: 1) },
      reference: { x in
        var result = x[0]
        for index in Grid.indices(x[1].shape) {
          let place = Int(x[2][index])
          result[[index[0], place < 0 ? place + 3 : place]] += x[1][index]
        }
        return result
      }),
    OpCase(
      "indexAdding", inputs: [.numbers(-4...4), .numbers(-4...4), .indices(bound: 3, wraps: true)],
      shapes: [
        [[2, 3], [2, 6], [6]], [[2, 3], [2, 0], [0]], [[1, 3], [1, 1], [1]], [[2, 3], [2, 2, 2], [2, 2]],
      ],
      dtypes: floats + [.int32, .int64],
      tolerance: .sum(terms: 8), apply: { $0[0].indexAdding($0[1], at: $0[2], axis: 1) },
      reference: { x in
        var result = x[0]
        for index in Grid.indices(x[1].shape) {
          let place = Int(x[2][Array(index.dropFirst())])
          result[[index[0], place < 0 ? place + 3 : place]] += x[1][index]
        }
        return result
      }),
    OpCase(
      "segmentSum", inputs: [.numbers(-4...4)], shapes: [[[7, 3]], [[0, 3]], [[1, 1]], [[40]]],
      dtypes: floats + [.int32, .int64], tolerance: .sum(terms: 16),
      apply: { $0[0].segmentSum(Tensor(segments($0[0].shape.first ?? 0)), count: 5) },
      reference: { x in
        var result = Grid(Shape([5] + x[0].shape.dropFirst())) { _ in 0 }
        let ids = segments(x[0].shape[0])
        for index in Grid.indices(x[0].shape) { result[[Int(ids[index[0]])] + index.dropFirst()] += x[0][index] }
        return result
      }),
    OpCase(
      "oneHot", inputs: [.indices(bound: 4)], shapes: [[[2, 3]], [[0]], [[]]], dtypes: [.float32], tolerance: .exact,
      derivatives: .none, apply: { $0[0].oneHot(4) },
      reference: { x in Grid(Shape(Array(x[0].shape) + [4])) { Int(x[0][Array($0.dropLast())]) == $0.last! ? 1 : 0 } }),
    constant("indices", shape: [2, 3, 4], { Tensor.indices([2, 3, 4], axis: 1) }, { Double($0[1]) }),
    constant("range", shape: [4], { Tensor.range(from: 3, to: -4, step: -2) }, { 3 - 2 * Double($0[0]) }),
    constant(
      "range(float)", shape: [7], { Tensor.range(from: 0.5, to: 2.25, step: 0.25, dtype: .float32) },
      { 0.5 + 0.25 * Double($0[0]) }),
    constant("eye", shape: [3, 4], { Tensor.eye(3, 4) }, { $0[0] == $0[1] ? 1 : 0 }),
    constant("linspace", shape: [5], { Tensor.linspace(from: -1, to: 3, count: 5) }, { Double($0[0]) - 1 }),
    constant("linspace(one)", shape: [1], { Tensor.linspace(from: 2, to: 3, count: 1) }, { _ in 2 }),
    OpCase(
      "meshgrid", inputs: [.numbers(-2...2), .numbers(-2...2)], shapes: [[[3], [4]], [[0], [2]], [[1], [1]]],
      tolerance: .elementwise,
      apply: { x in
        let grid = Tensor.meshgrid(x)
        return grid[0] * grid[1]
      }, reference: { x in Grid([x[0].values.count, x[1].values.count]) { x[0][$0[0]] * x[1][$0[1]] } }),
  ]

  /// Ascending segment ids 0, 1, 3 and 4 for `rows` rows; segment 2 is empty.
  private static func segments(_ rows: Int) -> [Int32] {
    (0..<rows).map { row in Int32(row * 4 / rows + (row * 4 / rows > 1 ? 1 : 0)) }
  }

  /// A tensor that is built without inputs.
  private static func constant(
    _ name: String, shape: Shape, _ make: @escaping @Sendable () -> Tensor,
    _ element: @escaping @Sendable ([Int]) -> Double
  ) -> OpCase {
    OpCase(
      name, inputs: [], shapes: [[]], dtypes: [.float32], tolerance: .exact, derivatives: .none,
      apply: { _ in make() }, reference: { _ in Grid(shape, element) })
  }

  static let scans: [OpCase] = [
    scan("cumulativeSum", -2...2, tolerance: .sum(terms: 6), { $0.cumulativeSum(axis: 1) }) { x in
      x.indices.map { x[...$0].reduce(0, +) }
    },
    scan(
      "cumulativeSum(reversed)", -2...2, tolerance: .sum(terms: 6), { $0.cumulativeSum(axis: -1, isReversed: true) },
      axis: 2
    ) { x in
      x.indices.map { x[$0...].reduce(0, +) }
    },
    scan("cumulativeProduct", -2...2, tolerance: .composed(steps: 4), { $0.cumulativeProduct(axis: 1) }) { x in
      x.indices.map { x[...$0].reduce(1, *) }
    },
    scan(
      "cumulativeProduct(reversed)", -2...2, tolerance: .composed(steps: 4),
      { $0.cumulativeProduct(axis: 0, isReversed: true) }, axis: 0
    ) { x in
      x.indices.map { x[$0...].reduce(1, *) }
    },
    OpCase(
      "cumulativeProduct(zeros)", inputs: [.wholeNumbers(-1...1)], shapes: [[[3, 7]], [[0, 7]], [[1, 1]]],
      tolerance: .exact,
      apply: { $0[0].cumulativeProduct(axis: 1) },
      reference: { $0[0].lines(1) { x in x.indices.map { x[...$0].reduce(1, *) } } }),
    OpCase(
      "product(zeros)", inputs: [.wholeNumbers(-1...1)], shapes: [[[4, 3, 5]], [[1, 1, 1]], [[0, 3, 5]]],
      tolerance: .exact,
      apply: { $0[0].product(axes: [0, 2]) }, reference: { $0[0].reduced([0, 2]) { $0.reduce(1, *) } }),
  ]

  private static func scan(
    _ name: String, _ range: ClosedRange<Double>, tolerance: Tolerance,
    _ apply: @escaping @Sendable (Tensor) -> Tensor, axis: Int = 1, _ line: @escaping @Sendable ([Double]) -> [Double]
  ) -> OpCase {
    OpCase(
      name, inputs: [.numbers(range)], shapes: [[[2, 6, 3]], [[1, 1, 1]], [[2, 0, 3]], [[1, 6, 70]]],
      dtypes: floats + [.int64, .int32], tolerance: tolerance, apply: { apply($0[0]) },
      reference: { $0[0].lines(axis, line) })
  }

  private static let sortShapes: [[Shape]] = [[[4, 7]], [[3, 1]], [[0, 5]], [[1, 300]]]

  private static func order(_ x: [Double], _ precedes: (Double, Double) -> Bool) -> [Double] {
    x.indices.sorted { precedes(x[$0], x[$1]) || x[$0] == x[$1] && $0 < $1 }.map(Double.init)
  }

  static let sorts: [OpCase] = [
    OpCase(
      "argsort", inputs: [.numbers(0...9)], shapes: sortShapes, dtypes: numbers, tolerance: .exact, derivatives: .none,
      apply: { $0[0].argsort(isDescending: true) }, reference: { $0[0].lines(1) { order($0, >) } }),
    OpCase(
      "argsort(first axis)", inputs: [.numbers(0...9)], shapes: [[[7, 4]], [[0, 4]], [[1, 1]]], dtypes: numbers,
      tolerance: .exact,
      derivatives: .none, apply: { $0[0].argsort(axis: 0) }, reference: { $0[0].lines(0) { order($0, <) } }),
    OpCase(
      "sorted", inputs: [.numbers(-9...9)], shapes: sortShapes, dtypes: numbers, tolerance: .exact,
      apply: { $0[0].sorted() }, reference: { $0[0].lines(1) { $0.sorted() } }),
    OpCase(
      "topK", inputs: [.numbers(-9...9)], shapes: [[[4, 7]], [[3, 3]], [[0, 3]], [[1, 3]]], dtypes: numbers,
      tolerance: .exact,
      apply: { $0[0].topK(3).values }, reference: { $0[0].lines(1, count: 3) { Array($0.sorted(by: >).prefix(3)) } }),
    OpCase(
      "topK(smallest)", inputs: [.numbers(-9...9)], shapes: [[[4, 7]], [[3, 3]], [[2, 0]], [[2, 1]]], tolerance: .exact,
      derivatives: .none,
      apply: { $0[0].topK(2, axis: 0, isLargest: false).indices },
      reference: { $0[0].lines(0, count: 2) { Array(order($0, <).prefix(2)) } }),
  ]
}
