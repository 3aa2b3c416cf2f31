import Apus
import ApusTestSupport
import Foundation

extension SpecialCase {
  private static let (nan, infinity) = (Double.nan, Double.infinity)

  static let all = RowFunction.all.flatMap(\.special) + halves + kinks + edges + integers

  /// Operations whose intermediate values would overflow, underflow or lose most digits in the type of the input.
  private static let halves: [SpecialCase] = [
    .init("tanh-GELU's derivative", .float16, [300, -300, 60000, -60000, 1], expected: [1, 0, 1, 0, 1.0829640838]) {
      derivative { $0.gelu(isApproximate: true) }($0)
    },
    .init("tanh-GELU's derivative", .bfloat16, [1e30, -1e30, 300], expected: [1, 0, 1]) {
      derivative { $0.gelu(isApproximate: true) }($0)
    },
    .init("tanh-GELU's derivative", .float32, [1e25, -1e25], expected: [1, 0]) {
      derivative { $0.gelu(isApproximate: true) }($0)
    },
    .init("ELU's derivative", .float16, [-9, -12, 3], expected: [exp(-9), exp(-12), 1]) { derivative { $0.elu() }($0) },
    .init("ELU's derivative", .float32, [-20, -40, 3], expected: [exp(-20), exp(-40), 1]) {
      derivative { $0.elu() }($0)
    },
    .init("ELU's second derivative", .float32, [100, -2], expected: [0, exp(-2)]) { secondDerivative { $0.elu() }($0) },
    .init("SELU's derivative", .float16, [-9, 1], expected: [1.7580993408 * exp(-9), 1.0507009873]) {
      derivative { $0.selu() }($0)
    },
    .init("product's derivatives", .float16, [256, 256, 0x1p-8, 0x1p-8, 1], expected: [0x1p-8, 0x1p-8, 256, 256, 1]) {
      derivative { $0.product() }($0)
    },
    .init("norm", .float16, [300, 400], expected: [500]) { $0[0].norm(keepingAxes: true) },
    .init("norm's derivatives", .float16, [300, 400], expected: [0.6, 0.8]) { derivative { $0.norm() }($0) },
    .init("norm(3)", .float16, [300, 400], expected: [cbrt(91e6)]) { $0[0].norm(3, keepingAxes: true) },
    .init("hypot", .float16, [300, 40000], [400, 40000], expected: [500, 56576]) { $0[0].hypot($0[1]) },
    .init("hypot's derivatives", .float16, [0x1p-20], [0x1p-20], expected: [0.70703125, 0.70703125]) {
      derivatives { $0.hypot($1) }($0)
    },
    .init("lerp", .float16, [-60000, 60000], [60000, -60000], expected: [0, -30000]) {
      $0[0].lerp(to: $0[1], Tensor([0.5, 0.75] as [Float]).cast(to: .float16))
    },
    .init("tanhShrink", .bfloat16, [0.125], expected: [0.125 - tanh(0.125)]) { $0[0].tanhShrink() },
  ]

  /// Derivatives at points where a function, or a function that it is composed of, is not differentiable.
  private static let kinks: [SpecialCase] = [
    .init("clamped's derivative", .float32, [-1, 1, 0.5, -2, nan], expected: [1, 1, 1, 0, 0]) {
      derivative { $0.clamped(lower: -1, upper: 1) }($0)
    },
    .init("hardTanh's derivative", .float32, [-1, 1, 0.5, -2], expected: [0, 0, 1, 0]) {
      derivative { $0.hardTanh() }($0)
    },
    .init("hardSwish's derivative", .float32, [-3, 3, 0, -1], expected: [0, 1, 0.5, 1 / 6.0]) {
      derivative { $0.hardSwish() }($0)
    },
    .init("hypot's derivatives", .float32, [0, 3], [0, 4], expected: [0, 0.6, 0, 0.8]) {
      derivatives { $0.hypot($1) }($0)
    },
    .init(
      "logAddExp's derivatives", .float32, [0, 1, infinity], [0, 0, infinity],
      expected: [0.5, 0.7310586, 0.5, 0.5, 0.2689414, 0.5]
    ) {
      derivatives { $0.logAddExp($1) }($0)
    },
    .init("logAddExp's second derivative", .float32, [0, 1, 3], expected: [0.25, 0.1966119332, 0.0451766597]) {
      secondDerivative { $0.logAddExp($0.stopGradient() * 0) }($0)
    },
    .init("norm(½)'s derivatives", .float32, [0, 1, 4], expected: [0, 3, 1.5]) { derivative { $0.norm(0.5) }($0) },
    .init("norm(½)'s derivatives", .float32, [0, 0], expected: [0, 0]) { derivative { $0.norm(0.5) }($0) },
    .init("norm(1.5)'s derivatives", .float32, [0, 0], expected: [0, 0]) { derivative { $0.norm(1.5) }($0) },
    .init("norm(−1)'s derivatives", .float32, [0, 2], expected: [0, 0]) { derivative { $0.norm(-1) }($0) },
    .init("norm(−∞)'s derivatives", .float32, [3, -2], expected: [0, -1]) { derivative { $0.norm(-.infinity) }($0) },
  ]

  /// Zeros, infinities and NaN.
  private static let edges: [SpecialCase] = [
    .init("hardShrink", .float32, [nan, 0.2, -2], expected: [nan, 0, -2]) { $0[0].hardShrink() },
    .init("softShrink", .float32, [nan, 0.2, -2], expected: [nan, 0, -1.5]) { $0[0].softShrink() },
    .init("threshold", .float32, [nan, 0.2, 2], expected: [nan, -3, 2]) { $0[0].threshold(0.5, value: -3) },
    .init("clamped", .float32, [nan, -infinity, 9], expected: [nan, -1, 1]) { $0[0].clamped(lower: -1, upper: 1) },
    .init(
      "hypot", .float32, [infinity, -infinity, nan, 0, nan], [nan, 1, infinity, 0, 1],
      expected: [infinity, infinity, infinity, 0, nan]
    ) { $0[0].hypot($0[1]) },
    .init(
      "logAddExp", .float32, [infinity, -infinity, infinity, nan], [infinity, -infinity, -infinity, 1],
      expected: [infinity, -infinity, infinity, nan]
    ) { $0[0].logAddExp($0[1]) },
    .init("norm(−∞)", .float32, [3, -2], expected: [2]) { $0[0].norm(-.infinity, keepingAxes: true) },
    .init("norm(−1)", .float32, [0, 2], expected: [0]) { $0[0].norm(-1, keepingAxes: true) },
    .init("norm(½)", .float32, [0, 1, 4], expected: [9]) { $0[0].norm(0.5, keepingAxes: true) },
    .init("norm", .float32, [nan, 4], expected: [nan]) { $0[0].norm(keepingAxes: true) },
    .init("norm(3)", .float32, [nan, 4], expected: [nan]) { $0[0].norm(3, keepingAxes: true) },
    .init("standardDeviation", .float32, [nan, 4], expected: [nan]) { $0[0].standardDeviation(keepingAxes: true) },
  ]

  /// Numbers that integer types cannot represent, or that `float32` cannot represent exactly.
  private static let integers: [SpecialCase] = [
    .init("clamped", .uint8, [3, 200], expected: [3, 200]) { $0[0].clamped(lower: -1, upper: 300) },
    .init("clamped", .int8, [-128, 100], expected: [-128, 100]) { $0[0].clamped(lower: -200, upper: 128) },
    .init("logSigmoid", .uint8, [1, 2], tolerance: 1e-6, expected: [-0.31326169, -0.12692801]) { $0[0].logSigmoid() },
    .init("softmin", .uint8, [1, 2], tolerance: 1e-6, expected: [0.73105858, 0.26894142]) { $0[0].softmin() },
    .init("averagePooled", .uint8, [1, 2], expected: [1.5]) { $0[0].reshaped(to: [1, 1, 2]).averagePooled([2]) },
    .init("adaptiveAveragePooled", .int32, [1, 2, 2, 7], expected: [1.5, 4.5]) {
      $0[0].reshaped(to: [1, 1, 4]).adaptiveAveragePooled([2])
    },
    .init("resized", .uint8, [0, 255], expected: [0, 64, 191, 255]) { $0[0].reshaped(to: [1, 1, 2]).resized(to: [4]) },
    .init("isClose", .int64, [16_777_217, 5], [16_777_216, 5], expected: [0, 1]) {
      $0[0].isClose(to: $0[1], relative: 0, absolute: 0.5)
    },
  ]
}
