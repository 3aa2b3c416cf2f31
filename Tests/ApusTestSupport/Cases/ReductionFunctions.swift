import Apus
import ApusDevice

/// The rows of `Kernels/reduce.def` in tests. The reference device computes with these functions, and `OpCaseTests`
/// runs the cases `reductionRows` on every device.
extension ReductionRow {
  /// The result of the reduction if there are no elements. `argmin` and `argmax` have no such result; their 0 is never
  /// used.
  func identity(_ lane: Lane) -> Scalar {
    let isFloat = lane.isFloatingPoint
    let (least, greatest) = lane == .int32 ? (Int64(Int32.min), Int64(Int32.max)) : (Int64.min, .max)
    return switch self {
    case .sum, .any: isFloat ? .float(0) : .integer(0)
    case .product, .all: isFloat ? .float(1) : .integer(1)
    case .min: isFloat ? .float(.infinity) : .integer(greatest)
    case .max: isFloat ? .float(-.infinity) : .integer(least)
    case .argmin, .argmax: .integer(0)
    }
  }

  func combined(_ a: Double, _ b: Double) -> Double {
    switch self {
    case .sum: a + b
    case .product: a * b
    case .min: a.isNaN || b.isNaN ? .nan : Swift.min(a, b)
    case .max: a.isNaN || b.isNaN ? .nan : Swift.max(a, b)
    case .any, .all, .argmin, .argmax: fatalError("no reducer \(self) for floating-point numbers")
    }
  }

  func combined(_ a: Int64, _ b: Int64) -> Int64 {
    switch self {
    case .sum: a &+ b
    case .product: a &* b
    case .min: Swift.min(a, b)
    case .max: Swift.max(a, b)
    case .any: a != 0 || b != 0 ? 1 : 0
    case .all: a != 0 && b != 0 ? 1 : 0
    case .argmin, .argmax: fatalError("no reducer \(self) for integers")
    }
  }

  /// Whether `argmin` or `argmax` prefers `a` to an earlier element `b`.
  func prefers(_ a: Scalar, to b: Scalar) -> Bool {
    switch (a, b) {
    case (.integer(let a), .integer(let b)): return self == .argmin ? a < b : a > b
    default:
      if a.double.isNaN || b.double.isNaN { return a.double.isNaN && !b.double.isNaN }
      return self == .argmin ? a.double < b.double : a.double > b.double
    }
  }
}

extension OpCase {
  /// The cases of the reductions that are rows of `Kernels/reduce.def`.
  public static let reductionRows: [OpCase] =
    row(.sum, dtypes: numbers, tolerance: .sum(terms: 1800)) { $0.sum(axes: $1, keepingAxes: $2) }
    + row(
      .product, on: 0.7...1.4, shapes: [[[3, 4, 5]], [[1, 1, 1]], [[2, 0, 3]]], tolerance: .composed(steps: 16)
    ) { $0.product(axes: $1, keepingAxes: $2) }
    + row(.min, dtypes: numbers, shapes: notEmpty) { $0.min(axes: $1, keepingAxes: $2) }
    + row(.max, dtypes: numbers, shapes: notEmpty) { $0.max(axes: $1, keepingAxes: $2) }
    + row(.any, on: 0...1, dtypes: [.int32, .uint8, .float32], derivatives: .none) {
      $0.rounded().any(axes: $1, keepingAxes: $2)
    }
    + row(.all, on: 0...9, dtypes: [.int32, .uint8, .float32], derivatives: .none) {
      $0.rounded().all(axes: $1, keepingAxes: $2)
    }
    + [indexRow(.argmin) { $0.argmin(axis: 1) }, indexRow(.argmax) { $0.argmax(axis: 1) }]

  private static func row(
    _ row: ReductionRow, on range: ClosedRange<Double> = -2...2, dtypes: [DType] = floats,
    shapes: [[Shape]] = reductionInputs, tolerance: Tolerance = .exact, derivatives: Derivatives = .second,
    _ apply: @escaping @Sendable (Tensor, [Int]?, Bool) -> Tensor
  ) -> [OpCase] {
    let isTruth = row == .any || row == .all
    return reduction(
      row.name, on: range, dtypes: dtypes, shapes: shapes, tolerance: tolerance, derivatives: derivatives, apply
    ) { x in
      if isTruth {
        let truths = x.map { Int64($0.rounded(.toNearestOrEven)) }
        return Double(truths.reduce(row.identity(.int32).integer, row.combined))
      }
      return x.reduce(row.identity(.float64).double, row.combined)
    }
  }

  private static func indexRow(_ row: ReductionRow, _ apply: @escaping @Sendable (Tensor) -> Tensor) -> OpCase {
    OpCase(
      row.name, inputs: [.numbers(0...9)], shapes: notEmpty + [[[0, 4, 5]]], dtypes: numbers, tolerance: .exact,
      derivatives: .none, apply: { apply($0[0]) },
      reference: {
        $0[0].reduced([1]) { x in
          Double(x.indices.reduce(0) { row.prefers(.float(x[$1]), to: .float(x[$0])) ? $1 : $0 })
        }
      })
  }
}
