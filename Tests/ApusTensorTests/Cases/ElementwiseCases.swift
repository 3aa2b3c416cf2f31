import Apus
import ApusTestSupport
import Foundation

extension OpCase {
  /// The operations that compute one row (formula) of `Kernels/elementwise.def`.
  static let rows: [OpCase] = RowFunction.all.compactMap(\.operation)

  static let elementwise: [OpCase] = [
    .unary("cbrt", on: -30...30, tolerance: .composed(steps: 4), { $0.cbrt() }, { cbrt($0) }),
    .unary("squared", { $0.squared() }, { $0 * $0 }),
    // Integer inputs are converted to `float32`.
    .unary("sqrt(integers)", on: 0...100, dtypes: integers, derivatives: .none, { $0.sqrt() }, { $0.squareRoot() }),
    .unary("stopGradient", dtypes: numbers, tolerance: .exact, derivatives: .none, { $0.stopGradient() }, { $0 }),
  ]

  static let activations: [OpCase] = [
    .unary("leakyRelu", { $0.leakyRelu(slope: 0.1) }, { $0 > 0 ? $0 : 0.1 * $0 }),
    .unary("elu", { $0.elu(alpha: 1.5) }, { $0 > 0 ? $0 : 1.5 * expm1($0) }),
    .unary(
      "selu", tolerance: .composed(steps: 2), { $0.selu() },
      { 1.0507009873554805 * ($0 > 0 ? $0 : 1.6732632423543772 * expm1($0)) }),
    .unary("softplus", on: -30...30, { $0.softplus() }, { max($0, 0) + log1p(exp(-abs($0))) }),
    .unary("logSigmoid", on: -30...30, { $0.logSigmoid() }, { min($0, 0) - log1p(exp(-abs($0))) }),
    .unary("silu", on: -8...8, { $0.silu() }, { $0 / (1 + exp(-$0)) }),
    .unary(
      "gelu(approximate)", on: -3...3, tolerance: .composed(steps: 2, scale: 0.5), { $0.gelu(isApproximate: true) },
      { 0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }),
    .unary("mish", tolerance: .composed(steps: 4), { $0.mish() }, { $0 * tanh(log1p(exp($0))) }),
    .unary("softsign", tolerance: .composed(steps: 2), { $0.softsign() }, { $0 / (1 + abs($0)) }),
    .unary("relu6", on: -3...9, tolerance: .exact, { $0.relu6() }, { min(max($0, 0), 6) }),
    .unary("hardTanh", tolerance: .exact, { $0.hardTanh() }, { min(max($0, -1), 1) }),
    .unary(
      "hardSigmoid", on: -5...5, tolerance: .composed(steps: 3, scale: 1), { $0.hardSigmoid() },
      { min(max($0 + 3, 0), 6) / 6 }),
    .unary(
      "hardSwish", on: -5...5, tolerance: .composed(steps: 3, scale: 5), { $0.hardSwish() },
      { $0 * min(max($0 + 3, 0), 6) / 6 }),
    .unary("celu", tolerance: .composed(steps: 3), { $0.celu(alpha: 1.5) }, { $0 > 0 ? $0 : 1.5 * expm1($0 / 1.5) }),
    .unary(
      "tanhShrink", on: 0.3...4, tolerance: .composed(steps: 3, scale: 4), { $0.tanhShrink() }, { $0 - tanh($0) }),
    .unary("threshold", tolerance: .exact, { $0.threshold(0.5, value: -3) }, { $0 > 0.5 ? $0 : -3 }),
    // The conformance tests of layers check the surrogate gradients.
    .unary("unitStep", tolerance: .exact, derivatives: .none, { $0.unitStep() }, { $0 >= 0 ? 1 : 0 }),
    .unary("unitStep(clipped)", tolerance: .exact, derivatives: .none, { $0.unitStep(gradient: .clipped) }) {
      $0 >= 0 ? 1 : 0
    },
    .unary("unitStep(true slope)", tolerance: .exact, { $0.unitStep(gradient: nil) }, { $0 >= 0 ? 1 : 0 }),
    .unary("hardShrink", tolerance: .exact, { $0.hardShrink(0.75) }, { abs($0) > 0.75 ? $0 : 0 }),
    .unary(
      "softShrink", tolerance: .composed(steps: 1, scale: 1), { $0.softShrink(0.75) },
      { $0 > 0.75 ? $0 - 0.75 : $0 < -0.75 ? $0 + 0.75 : 0 }),
    OpCase(
      "glu", shapes: [[[3, 4]], [[0, 4]], [[1, 4]]], tolerance: .composed(steps: 2), apply: { $0[0].glu() },
      reference: { $0[0].lines(1, count: 2) { x in [0, 1].map { x[$0] / (1 + exp(-x[$0 + 2])) } } }),
  ]
}
