import Apus
import ApusTestSupport

extension OpCase {
  /// `Σ_k a[…, i, k]·b[…, k, j]` with the leading axes broadcast.
  private static func product(_ a: Grid, _ b: Grid) -> Grid {
    let (m, k, n) = (a.shape[a.rank - 2], a.shape[a.rank - 1], b.shape[b.rank - 1])
    func matrix(_ grid: Grid) -> Grid { Grid(Shape(grid.shape.dropLast(2)), { _ in 0 }) }
    let batch = Grid.combined([matrix(a), matrix(b)]) { _ in 0 }.shape
    return Grid(Shape(Array(batch) + [m, n])) { index in
      let (row, column) = (index[index.count - 2], index[index.count - 1])
      return (0..<k).reduce(0) { sum, place in
        sum + element(a, index.dropLast(2), row, place) * element(b, index.dropLast(2), place, column)
      }
    }
  }

  private static func element(_ grid: Grid, _ batch: ArraySlice<Int>, _ row: Int, _ column: Int) -> Double {
    let own = Array(batch.suffix(grid.rank - 2))
    return grid[own.indices.map { grid.shape[$0] == 1 ? 0 : own[$0] } + [row, column]]
  }

  private static func product(
    _ name: String, terms: Int, _ shapes: [[Shape]], dtypes: [DType] = floats,
    _ apply: @escaping @Sendable ([Tensor]) -> Tensor, _ reference: @escaping @Sendable ([Grid]) -> Grid
  ) -> OpCase {
    OpCase(
      name, inputs: Array(repeating: .numbers(-2...2), count: shapes[0].count), shapes: shapes, dtypes: dtypes,
      tolerance: .sum(terms: terms), apply: apply, reference: reference)
  }

  /// Products of 8-bit integers, whose sums do not fit into 8 bits.
  private static func narrowProduct(
    _ name: String, _ shapes: [[Shape]], _ apply: @escaping @Sendable ([Tensor]) -> Tensor,
    _ reference: @escaping @Sendable ([Grid]) -> Grid
  ) -> OpCase {
    OpCase(
      name, inputs: [.numbers(-99...99), .numbers(-99...99)], shapes: shapes, dtypes: [.int8, .uint8],
      tolerance: .exact,
      derivatives: .none, apply: apply, reference: reference)
  }

  static let matmuls: [OpCase] = [
    narrowProduct(
      "matmul(8 bits)", [[[5, 40], [40, 9]], [[0, 3], [3, 2]], [[1, 1], [1, 1]]], { $0[0].matmul($0[1]) },
      { product($0[0], $0[1]) }),
    narrowProduct(
      "einsum(8 bits)", [[[1, 3, 4], [2, 4]], [[1, 0, 4], [2, 4]]],
      { Tensor.einsum("...ij,...j->...i", $0).cast(to: .int32) },
      { x in
        Grid([2, x[0].shape[1]]) { index in (0..<4).reduce(0) { $0 + x[0][0, index[1], $1] * x[1][index[0], $1] } }
      }),
    product(
      "matmul", terms: 160,
      [[[3, 4], [4, 5]], [[65, 160], [160, 33]], [[1, 7], [7, 1]], [[0, 3], [3, 2]], [[3, 0], [0, 2]]],
      dtypes: floats + [.int32, .int64], { $0[0].matmul($0[1]) }, { product($0[0], $0[1]) }),
    product(
      "matmul(batches)", terms: 20,
      [[[2, 3, 4], [2, 4, 5]], [[2, 1, 3, 20], [4, 20, 5]], [[3, 4, 6], [6, 2]], [[0, 3, 4], [4, 5]]],
      { $0[0].matmul($0[1]) }, { product($0[0], $0[1]) }),
    product(
      "matmul(transposed)", terms: 40,
      [[[4, 3], [5, 4]], [[40, 17], [23, 40]], [[4, 0], [5, 4]], [[1, 1], [1, 1]]],
      { $0[0].transposed().matmul($0[1].transposed()) },
      { x in
        Grid([x[0].shape[1], x[1].shape[0]]) { index in
          (0..<x[0].shape[0]).reduce(0) { $0 + x[0][$1, index[0]] * x[1][index[1], $1] }
        }
      }),
    product(
      "matmul(vectors)", terms: 6, [[[4, 6], [6]], [[0, 6], [6]], [[1, 6], [6]]],
      { $0[1].matmul($0[0].transposed()) },
      { x in Grid([x[0].shape[0]]) { index in (0..<6).reduce(0) { $0 + x[0][index[0], $1] * x[1][$1] } } }),
    product(
      "matmul(two vectors)", terms: 300, [[[7], [7]], [[300], [300]], [[1], [1]], [[0], [0]]],
      { $0[0].matmul($0[1]) },
      { x in Grid([]) { _ in x[0].values.indices.reduce(0) { $0 + x[0][$1] * x[1][$1] } } }),
    product(
      "outer", terms: 1, [[[3], [4]], [[0], [2]], [[1], [1]]], { $0[0].outer($0[1]) },
      { x in Grid([x[0].values.count, x[1].values.count]) { x[0][$0[0]] * x[1][$0[1]] } }),
    product(
      "einsum(ij,jk->ik)", terms: 4, [[[3, 4], [4, 5]], [[0, 4], [4, 5]], [[1, 1], [1, 1]]],
      { Tensor.einsum("ij,jk->ik", $0) }, { product($0[0], $0[1]) }),
    product(
      "einsum(bii->b)", terms: 4, [[[2, 4, 4]], [[0, 4, 4]], [[1, 1, 1]]], { Tensor.einsum("bii->b", $0) },
      { x in Grid([x[0].shape[0]]) { index in (0..<x[0].shape[1]).reduce(0) { $0 + x[0][index[0], $1, $1] } } }),
    product(
      "einsum(...ij->...ji)", terms: 1, [[[2, 3, 4]], [[0, 3, 4]], [[1, 1, 1]]], { Tensor.einsum("...ij->...ji", $0) },
      { x in Grid([x[0].shape[0], x[0].shape[2], x[0].shape[1]]) { x[0][$0[0], $0[2], $0[1]] } }),
    product(
      "einsum(bhqd,bhkd->bhqk)", terms: 4,
      [[[2, 3, 5, 4], [2, 3, 6, 4]], [[0, 3, 5, 4], [0, 3, 6, 4]], [[1, 1, 1, 1], [1, 1, 1, 1]]],
      { Tensor.einsum("bhqd,bhkd->bhqk", $0) },
      { x in
        Grid([x[0].shape[0], x[0].shape[1], x[0].shape[2], x[1].shape[2]]) { index in
          (0..<x[0].shape[3]).reduce(0) {
            $0 + x[0][index[0], index[1], index[2], $1] * x[1][index[0], index[1], index[3], $1]
          }
        }
      }),
    product(
      "einsum(three)", terms: 48,
      [[[3, 4], [4, 6], [2, 6]], [[0, 4], [4, 6], [2, 6]], [[1, 1], [1, 1], [1, 1]]],
      { Tensor.einsum("ab,bc,dc->da", $0) },
      { x in
        Grid([x[2].shape[0], x[0].shape[0]]) { index in
          Grid.indices(x[1].shape).reduce(0) { $0 + x[0][index[1], $1[0]] * x[1][$1[0], $1[1]] * x[2][index[0], $1[1]] }
        }
      }),
    product(
      "einsum(implicit)", terms: 12, [[[3, 4], [3, 5]], [[3, 0], [3, 5]], [[1, 1], [1, 1]]],
      { Tensor.einsum("zb, za", $0) },
      { x in
        Grid([x[1].shape[1], x[0].shape[1]]) { index in
          (0..<x[0].shape[0]).reduce(0) { $0 + x[0][$1, index[1]] * x[1][$1, index[0]] }
        }
      }),
    product(
      "einsum(broadcast)", terms: 4, [[[1, 3, 4], [2, 4]], [[1, 0, 4], [2, 4]]],
      { Tensor.einsum("...ij,...j->...i", $0) },
      { x in
        Grid([2, x[0].shape[1]]) { index in (0..<4).reduce(0) { $0 + x[0][0, index[1], $1] * x[1][index[0], $1] } }
      }),
  ]
}
