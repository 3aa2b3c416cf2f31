import Apus

extension OpCase {
  /// Shapes of two inputs: equal, broadcast in both directions, a scalar and a vector, a matrix and a vector, no
  /// elements, and one element.
  private static let binaryShapes: [[Shape]] = [
    [[3, 4], [3, 4]], [[5, 1, 3], [4, 1]], [[], [7]], [[37, 9], [9]], [[0, 3], [1, 3]], [[1], [1, 1]],
  ]

  /// An elementwise function of one input.
  public static func unary(
    _ name: String, on range: ClosedRange<Double> = -2...2, dtypes: [DType] = floats,
    tolerance: Tolerance = .elementwise, derivatives: Derivatives = .second,
    _ apply: @escaping @Sendable (Tensor) -> Tensor, _ function: @escaping @Sendable (Double) -> Double
  ) -> OpCase {
    OpCase(
      name, inputs: [.numbers(range)], shapes: unaryShapes, dtypes: dtypes, tolerance: tolerance,
      derivatives: derivatives, apply: { apply($0[0]) }, reference: { $0[0].map(function) })
  }

  /// An elementwise function of two inputs, with broadcasting.
  public static func binary(
    _ name: String, on left: ClosedRange<Double> = -2...2, and right: ClosedRange<Double> = -2...2,
    dtypes: [DType] = floats, tolerance: Tolerance = .elementwise, derivatives: Derivatives = .second,
    _ apply: @escaping @Sendable (Tensor, Tensor) -> Tensor,
    _ function: @escaping @Sendable (Double, Double) -> Double
  ) -> OpCase {
    OpCase(
      name, inputs: [.numbers(left), .numbers(right)], shapes: binaryShapes, dtypes: dtypes,
      tolerance: tolerance, derivatives: derivatives, apply: { apply($0[0], $0[1]) },
      reference: { Grid.combined($0) { function($0[0], $0[1]) } })
  }

  /// A comparison with `bool` results. Inputs are rounded, so that some are equal.
  public static func comparison(
    _ name: String, _ apply: @escaping @Sendable (Tensor, Tensor) -> Tensor,
    _ function: @escaping @Sendable (Double, Double) -> Bool
  ) -> OpCase {
    .binary(name, on: 0...3, and: 0...3, dtypes: numbers, tolerance: .exact, derivatives: .none) {
      apply($0.rounded(), $1.rounded())
    } _: {
      function($0.rounded(.toNearestOrEven), $1.rounded(.toNearestOrEven)) ? 1 : 0
    }
  }
}
