import ApusNN
import ApusTensor

/// What a run minimizes and what it measures.
public struct Objective: Sendable {
  /// From outputs and targets to the loss of each example, `[batch]`.
  public var losses: @Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor
  /// From outputs and targets to whether each example, or each part of it, is right: `bool` of `[batch, …]`.
  public var hits: (@Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor)?

  public init(
    losses: @escaping @Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor,
    hits: (@Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor)? = nil
  ) {
    self.losses = losses
    self.hits = hits
  }

  /// Logits and class indices: cross-entropy, and whether the largest logit is that of the class.
  public static let classification = Objective.classification()

  /// Logits `[batch, classes]` and class indices `[batch]`, or distributions `[batch, classes]` such as mixed examples
  /// have: cross-entropy. A hit is where the largest logit is that of the likeliest class.
  ///
  /// - Parameters:
  ///   - weights: what the loss of an example counts by its class. The loss of a batch is the mean over its examples, so
  ///     that weights whose mean over the examples is 1 leave its size as it is.
  ///   - smoothing: the share of a uniform distribution in the targets (Szegedy et al., 2016).
  public static func classification(weights: [Double]? = nil, smoothing: Double = 0) -> Objective {
    Objective(
      losses: { outputs, targets in
        let shares = weights.map { Tensor($0.map { Float($0) }, device: outputs.device) }
        return targets.rank > 1
          ? crossEntropy(outputs, probabilities: targets, reduction: .none, smoothing: smoothing, weights: shares)
          : crossEntropy(outputs, targets, reduction: .none, smoothing: smoothing, weights: shares)
      },
      hits: { outputs, targets in
        outputs.argmax(1).equal(to: targets.rank > 1 ? targets.argmax(1) : targets.cast(to: .int64))
      })
  }

  /// Logits `[batch, time, classes]` and class indices `[batch, time]`: cross-entropy and hits at each place. The
  /// loss of an example is the mean over its places, in nats.
  public static let tokens = Objective(
    losses: { outputs, targets in
      let losses = crossEntropy(
        outputs.reshaped(to: [-1, outputs.shape[2]]), targets.reshaped(to: [-1]), reduction: .none)
      return losses.reshaped(to: targets.shape).mean([1])
    },
    hits: { $0.argmax(2).equal(to: $1.cast(to: .int64)) })

  /// Numbers: the mean squared error.
  public static let regression = Objective(
    losses: { outputs, targets in
      let errors = meanSquaredError(outputs, targets, reduction: .none)
      return errors.rank > 1 ? errors.mean(Array(1..<errors.rank)) : errors
    })
}
