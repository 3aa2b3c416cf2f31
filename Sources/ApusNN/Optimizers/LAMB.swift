import ApusTensor

/// LAMB (You et al., "Large Batch Optimization for Deep Learning", 2020, algorithm 2), for large batches: Adam whose
/// step for each tensor has a norm proportional to the norm of the tensor. For a tensor `w` with the gradient `g`, in
/// step `t`:
/// ```text
/// m ← β₁ · m + (1 − β₁) · g;  v ← β₂ · v + (1 − β₂) · g²
/// u = m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε) + weightDecay · w
/// w ← w − rate · ‖w‖ / ‖u‖ · u                 the ratio is 1 where either norm is 0
/// ```
public struct LAMB: MomentumRule {
  public static let name = "lamb"
  public var learningRate: Double
  /// `β₁`, the weight of the old gradient average in the new one.
  public var beta1: Double
  /// `β₂`, the weight of the old average of squared gradients in the new one.
  public var beta2: Double
  /// `ε`, which keeps the divisor above 0.
  public var epsilon: Double
  public var weightDecay: Double

  public init(
    learningRate: Double = 1e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-6,
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
  public var stateNames: [String] { ["exp_avg", "exp_avg_sq"] }

  public func update(step: StepCount, rate: Double, number: (Double) -> Tensor) -> ParameterUpdate {
    let correction1 = step.corrected(1, decay: beta1, number)
    let correction2 = step.corrected(1, decay: beta2, number)
    let (share1, share2, keep2, small) = (number(1 - beta1), number(1 - beta2), number(beta2), number(epsilon))
    let (rate, zero, one) = (number(rate), number(0), number(1))
    let decay = WeightDecay(weightDecay, number)
    return { value, gradient, state in
      state[0] = state[0].lerp(to: gradient, share1)
      state[1] = state[1].averaged(withSquareOf: gradient, keep: keep2, share: share2)
      let adapted = state[0] * correction1 / state[1].correctedRoot(correction2, plus: small)
      let direction = decay.coupled(adapted, value)
      let (valueNorm, directionNorm) = (value.norm(), direction.norm())
      let isUsable = (valueNorm .> zero).logicalAnd(directionNorm .> zero)
      let ratio = isUsable.select(valueNorm / isUsable.select(directionNorm, one), one)
      return value - direction * (ratio * rate)
    }
  }
}
