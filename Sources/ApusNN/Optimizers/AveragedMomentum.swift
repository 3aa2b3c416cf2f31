import ApusTensor

/// Gradient descent along a moving average of the gradients, the form of momentum in textbooks:
/// ```text
/// g ← g + weightDecay · w
/// v ← momentum · v + (1 − momentum) · g
/// w ← w − rate · v
/// ```
/// Its steps equal the steps of `SGD(momentum:)` at a rate of `(1 − momentum) · rate`. Unlike the momentum buffer
/// `m` of `SGD`, the average `v` does not grow with the momentum, so a learning rate that was tuned without momentum
/// remains suitable. Like all averages that start at 0, `v` is too small at first.
public struct AveragedMomentum: MomentumRule {
  public static let name = "averaged-momentum"
  public var learningRate: Double
  public var momentum: Double
  public var weightDecay: Double

  public init(learningRate: Double, momentum: Double = 0.9, weightDecay: Double = 0) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.weightDecay = weightDecay
  }

  public var hasFixedFormula: Bool { true }
  public var stateNames: [String] { ["velocity"] }

  public func update(step: StepCount, rate: Double, number: (Double) -> Tensor) -> ParameterUpdate {
    let (rate, keep, share) = (number(rate), number(momentum), number(1 - momentum))
    let decay = WeightDecay(weightDecay, number)
    return { value, gradient, state in
      state[0] = state[0].averaged(with: decay.coupled(gradient, value), keep: keep, share: share)
      return value - state[0] * rate
    }
  }
}
