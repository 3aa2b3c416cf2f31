import ApusTensor

/// Adamax (Kingma, Ba, 2015), as `torch.optim.Adamax`: Adam with the maximum norm of the gradients instead of the root
/// mean square.
/// ```text
/// g ← g + weightDecay · w
/// m ← m + (1 − β₁) · (g − m)
/// u ← max(β₂ · u, |g| + ε)
/// w ← w − rate / (1 − β₁ᵗ) · m / u
/// ```
/// At step `t`, `w` is a parameter and `g` its gradient; `m` is the moving average of the gradients, and `u` the
/// decaying maximum of their magnitudes.
public struct Adamax: MomentumRule {
  public static let name = "adamax"
  public var learningRate: Double
  /// The weight of the old gradient average in the new one.
  public var beta1: Double
  /// The factor by which the old maximum shrinks before it is compared with the new gradient.
  public var beta2: Double
  /// `ε`, which keeps the divisor above 0.
  public var epsilon: Double
  public var weightDecay: Double

  public init(
    learningRate: Double = 2e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    weightDecay: Double = 0
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }

  public var momentum: Double {
    get { beta1 }
    set { beta1 = newValue }
  }

  public var hasFixedFormula: Bool { true }
  public var stateNames: [String] { ["exp_avg", "exp_inf"] }

  public func update(step: StepCount, rate: Double, number: (Double) -> Tensor) -> ParameterUpdate {
    let stepSize = step.corrected(rate, decay: beta1, number)
    let (share1, keep2, small) = (number(1 - beta1), number(beta2), number(epsilon))
    let decay = WeightDecay(weightDecay, number)
    return { value, gradient, state in
      let gradient = decay.coupled(gradient, value)
      state[0] = state[0].lerp(to: gradient, share1)
      state[1] = (state[1] * keep2).maximum(gradient.abs() + small)
      return value - state[0] / state[1] * stepSize
    }
  }
}
