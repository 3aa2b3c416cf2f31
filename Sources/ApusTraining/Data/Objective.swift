import ApusNN
import ApusTensor

/// What a run minimizes and what it measures.
public struct Objective: Sendable {
  /// From outputs and targets to the loss of each example, `[batch]`.
  public var losses: @Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor
  /// From outputs and targets to whether each example is right, `bool` of `[batch]`.
  public var hits: (@Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor)?

  public init(
    losses: @escaping @Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor,
    hits: (@Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor)? = nil
  ) {
    self.losses = losses
    self.hits = hits
  }

  /// Logits and class indices: cross-entropy, and whether the largest logit is that of the class.
  public static let classification = Objective(
    losses: { crossEntropy($0, $1, reduction: .none) },
    hits: { $0.argmax(1).equal(to: $1.cast(to: .int64)) })

  /// Numbers: the mean squared error.
  public static let regression = Objective(
    losses: { outputs, targets in
      let errors = meanSquaredError(outputs, targets, reduction: .none)
      return errors.rank > 1 ? errors.mean(Array(1..<errors.rank)) : errors
    })
}
