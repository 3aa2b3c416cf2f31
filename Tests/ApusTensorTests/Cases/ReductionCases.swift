import Apus
import ApusTestSupport
import Foundation

extension OpCase {
  /// Three reductions: over two of three axes, over one axis that is kept with extent 1, and over all axes. They all
  /// run with `shapes`. If `shapes` has no empty input, the first two also run with an empty input, in which an axis
  /// that is not reduced has the extent 0.
  private static func reduction(
    _ name: String, on range: ClosedRange<Double> = -2...2, dtypes: [DType] = floats,
    shapes: [[Shape]] = [[[3, 4, 5]], [[2, 300, 3]], [[1, 1, 1]], [[2, 0, 3]]],
    tolerance: Tolerance, derivatives: Derivatives = .second,
    _ apply: @escaping @Sendable (Tensor, [Int]?, Bool) -> Tensor,
    _ function: @escaping @Sendable ([Double]) -> Double
  ) -> [OpCase] {
    let forms: [(String, [Int]?, Bool)] = [("", [0, -1], false), ("(kept)", [1], true), ("(all)", nil, false)]
    return forms.map { form, axes, keeping in
      let hasEmpty = shapes.contains { $0[0].elementCount == 0 }
      let empty: [[Shape]] = hasEmpty || axes == nil ? [] : [axes == [1] ? [[0, 4, 5]] : [[2, 0, 3]]]
      return OpCase(
        name + form, inputs: [.numbers(range)], shapes: shapes + empty, dtypes: dtypes, tolerance: tolerance,
        derivatives: derivatives, apply: { apply($0[0], axes, keeping) },
        reference: { $0[0].reduced((axes ?? [0, 1, 2]).map { $0 < 0 ? $0 + 3 : $0 }, keeping: keeping, function) })
    }
  }

  private static let notEmpty: [[Shape]] = [[[3, 4, 5]], [[2, 300, 3]], [[1, 1, 1]]]

  private static func mean(_ x: [Double]) -> Double { x.reduce(0, +) / Double(x.count) }
  private static func variance(_ x: [Double], _ correction: Double) -> Double {
    let center = mean(x)
    return x.reduce(0) { $0 + ($1 - center) * ($1 - center) } / max(Double(x.count) - correction, 0)
  }

  private static func place(_ x: [Double], _ isBetter: (Double, Double) -> Bool) -> Double {
    var best = 0
    for index in x.indices where isBetter(x[index], x[best]) { best = index }
    return Double(best)
  }

  static let reductions: [OpCase] =
    reduction(
      "sum", dtypes: numbers, tolerance: .sum(terms: 1800), { $0.sum(axes: $1, keepingAxes: $2) }, { $0.reduce(0, +) })
    + reduction(
      "product", on: 0.7...1.4, dtypes: floats, shapes: [[[3, 4, 5]], [[1, 1, 1]], [[2, 0, 3]]],
      tolerance: .composed(steps: 16), { $0.product(axes: $1, keepingAxes: $2) }, { $0.reduce(1, *) })
    + reduction(
      "mean", dtypes: floats, shapes: notEmpty, tolerance: .sum(terms: 1800), { $0.mean(axes: $1, keepingAxes: $2) },
      mean)
    + reduction(
      "min", dtypes: numbers, shapes: notEmpty, tolerance: .exact, { $0.min(axes: $1, keepingAxes: $2) }, { $0.min()! })
    + reduction(
      "max", dtypes: numbers, shapes: notEmpty, tolerance: .exact, { $0.max(axes: $1, keepingAxes: $2) }, { $0.max()! })
    + reduction(
      "any", on: 0...1, dtypes: [.int32, .uint8, .float32], tolerance: .exact, derivatives: .none,
      { $0.rounded().any(axes: $1, keepingAxes: $2) }, { $0.contains { $0.rounded(.toNearestOrEven) != 0 } ? 1 : 0 })
    + reduction(
      "all", on: 0...9, dtypes: [.int32, .uint8, .float32], tolerance: .exact, derivatives: .none,
      { $0.rounded().all(axes: $1, keepingAxes: $2) }, { $0.allSatisfy { $0.rounded(.toNearestOrEven) != 0 } ? 1 : 0 })
    + reduction(
      "variance", shapes: notEmpty, tolerance: .composed(steps: 16, scale: 1),
      { $0.variance(axes: $1, keepingAxes: $2) }, { variance($0, 1) })
    + reduction(
      "standardDeviation", shapes: notEmpty, tolerance: .composed(steps: 16, scale: 1),
      { $0.standardDeviation(axes: $1, correction: 0, keepingAxes: $2) }, { variance($0, 0).squareRoot() })
    + reduction(
      "logSumExp", on: -20...20, tolerance: .composed(steps: 4, scale: 20),
      { $0.logSumExp(axes: $1, keepingAxes: $2) },
      { x in x.isEmpty ? -.infinity : x.max()! + log(x.reduce(0) { $0 + exp($1 - x.max()!) }) })
    + reduction(
      "norm", shapes: notEmpty, tolerance: .composed(steps: 16), { $0.norm(axes: $1, keepingAxes: $2) },
      { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() })
    + reduction(
      "norm(1)", shapes: notEmpty, tolerance: .composed(steps: 16), { $0.norm(1, axes: $1, keepingAxes: $2) },
      { $0.reduce(0) { $0 + abs($1) } })
    + reduction(
      "norm(3)", on: 0.1...2, shapes: notEmpty, tolerance: .composed(steps: 32),
      { $0.norm(3, axes: $1, keepingAxes: $2) },
      { cbrt($0.reduce(0) { $0 + $1 * $1 * $1 }) })
    + reduction(
      "norm(infinite)", shapes: notEmpty, tolerance: .exact, { $0.norm(.infinity, axes: $1, keepingAxes: $2) },
      { $0.map(abs).max()! })
    + [
      placement("argmin", { $0.argmin(axis: 1) }, { place($0) { $0 < $1 } }),
      placement("argmax", { $0.argmax(axis: 1) }, { place($0) { $0 > $1 } }),
    ]

  private static func placement(
    _ name: String, _ apply: @escaping @Sendable (Tensor) -> Tensor,
    _ function: @escaping @Sendable ([Double]) -> Double
  ) -> OpCase {
    OpCase(
      name, inputs: [.numbers(0...9)], shapes: notEmpty + [[[0, 4, 5]]], dtypes: numbers, tolerance: .exact,
      derivatives: .none,
      apply: { apply($0[0]) }, reference: { $0[0].reduced([1], function) })
  }

  static let softmaxes: [OpCase] = [
    OpCase(
      "softmax", inputs: [.numbers(-9...9)], shapes: [[[3, 5]], [[2, 300]], [[4, 1]], [[0, 4]], [[4, 0]]],
      tolerance: .composed(steps: 6, scale: 1e-3), apply: { $0[0].softmax() },
      reference: { $0[0].lines(1) { x in x.map { exp($0 - x.max()!) / x.reduce(0) { $0 + exp($1 - x.max()!) } } } }),
    OpCase(
      "softmax(first axis)", inputs: [.numbers(-9...9)], shapes: [[[5, 3]], [[5, 0]], [[1, 1]]],
      tolerance: .composed(steps: 6, scale: 1e-3), apply: { $0[0].softmax(axis: 0) },
      reference: { $0[0].lines(0) { x in x.map { exp($0) / x.reduce(0) { $0 + exp($1) } } } }),
    OpCase(
      "softmin", inputs: [.numbers(-9...9)], shapes: [[[3, 5]], [[4, 1]], [[0, 4]]],
      tolerance: .composed(steps: 6, scale: 1e-3), apply: { $0[0].softmin() },
      reference: { $0[0].lines(1) { x in x.map { exp(-$0) / x.reduce(0) { $0 + exp(-$1) } } } }),
    OpCase(
      "logSoftmax", inputs: [.numbers(-9...9)], shapes: [[[3, 5]], [[2, 300]], [[4, 1]], [[0, 4]], [[4, 0]]],
      tolerance: .composed(steps: 6, scale: 9), apply: { $0[0].logSoftmax() },
      reference: { $0[0].lines(1) { x in x.map { $0 - x.max()! - log(x.reduce(0) { $0 + exp($1 - x.max()!) }) } } }),
  ]
}
