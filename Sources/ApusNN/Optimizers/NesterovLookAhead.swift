import ApusTensor

/// Nesterov momentum (1983) in the look-ahead form (Sutskever et al., 2013). The gradient is taken at the point that
/// the momentum alone leads to:
/// ```text
/// g ← ∇L(w + momentum · v) + weightDecay · (w + momentum · v)
/// v ← momentum · v − rate · g
/// w ← w + v
/// ```
/// At a constant rate the points `w + momentum · v` equal the weights of `SGD(momentum:, isNesterov: true)`, which
/// takes the gradient at its weights. Here, losses and gradients must be computed at `w + momentum · v` instead: take
/// steps with `Optimizer.minimize`, or compute gradients inside `Optimizer.atGradientPoint`.
public struct NesterovLookAhead: MomentumRule, GradientPointRule {
  public static let name = "nesterov-look-ahead"
  public var learningRate: Double
  public var momentum: Double
  public var weightDecay: Double

  public init(learningRate: Double, momentum: Double = 0.9, weightDecay: Double = 0) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.weightDecay = weightDecay
  }

  public var stateNames: [String] { ["velocity"] }

  public func point(number: (Double) -> Tensor) -> (_ value: Tensor, _ state: [Tensor]) -> Tensor {
    let friction = number(momentum)
    return { value, state in NesterovLookAhead.point(value, state, friction) }
  }

  public func update(step: StepCount, rate: Double, number: (Double) -> Tensor) -> ParameterUpdate {
    let (rate, friction) = (number(rate), number(momentum))
    let decay = WeightDecay(weightDecay, number)
    return { value, gradient, state in
      let ahead = NesterovLookAhead.point(value, state, friction)
      state[0] = state[0] * friction - decay.coupled(gradient, ahead) * rate
      return value + state[0]
    }
  }

  /// `w + momentum · v`.
  private static func point(_ value: Tensor, _ state: [Tensor], _ friction: Tensor) -> Tensor {
    value + state[0] * friction
  }
}
