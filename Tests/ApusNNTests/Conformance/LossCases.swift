import Apus

/// A loss with the settings of a case in a fixture.
struct LossCase: Sendable {
  let name: String
  let value: @Sendable ([Tensor]) -> Tensor

  init(_ name: String, _ value: @escaping @Sendable ([Tensor]) -> Tensor) {
    self.name = name
    self.value = value
  }

  /// Every loss, as in `Tests/Conformance/losses.py`.
  static let all = crossEntropies + regressions

  private static let crossEntropies = [
    LossCase("cross-entropy") { crossEntropy($0[0], $0[1]) },
    LossCase("cross-entropy-large") { crossEntropy($0[0], $0[1]) },
    LossCase("cross-entropy-sum") { crossEntropy($0[0], $0[1], reduction: .sum) },
    LossCase("cross-entropy-none") { crossEntropy($0[0], $0[1], reduction: .none) },
    LossCase("cross-entropy-pixels") { crossEntropy($0[0], $0[1]) },
    LossCase("cross-entropy-ignoring") { crossEntropy($0[0], $0[1], ignoring: -100) },
    LossCase("cross-entropy-smoothing") { crossEntropy($0[0], $0[1], smoothing: 0.1) },
    LossCase("cross-entropy-probabilities") { crossEntropy($0[0], probabilities: $0[1]) },
  ]

  private static let regressions = [LossCase("mean-squared-error") { meanSquaredError($0[0], $0[1]) }]
}
