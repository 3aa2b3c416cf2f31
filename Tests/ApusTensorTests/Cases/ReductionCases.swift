import Apus
import ApusTestSupport
import Foundation

extension OpCase {
  private static func mean(_ x: [Double]) -> Double { x.reduce(0, +) / Double(x.count) }
  private static func variance(_ x: [Double], _ correction: Double) -> Double {
    let center = mean(x)
    return x.reduce(0) { $0 + ($1 - center) * ($1 - center) } / max(Double(x.count) - correction, 0)
  }

  static let reductions: [OpCase] =
    reductionRows
    + reduction(
      "mean", dtypes: floats, shapes: notEmpty, tolerance: .sum(terms: 1800), { $0.mean(axes: $1, keepingAxes: $2) },
      mean)
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
