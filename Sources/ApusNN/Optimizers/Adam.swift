import ApusTensor

/// Adam (Kingma, Ba, 2015), like `torch.optim.Adam` and, with `isDecoupled`, `torch.optim.AdamW` (Loshchilov, Hutter,
/// 2019). At step `t`, with the gradient `g` of a parameter `w`, the average `m` of gradients and the average `v` of
/// squared gradients:
/// ```text
/// g ← g + weightDecay · w                  or, decoupled, w ← w − rate · weightDecay · w
/// m ← m + (1 − β₁) · (g − m)
/// v ← β₂ · v + (1 − β₂) · g²
/// w ← w − rate / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
/// ```
/// AMSGrad (Reddi et al., 2018) replaces `v` by the largest `v` so far.
public struct Adam: MomentumRule {
  public static let name = "adam"
  public var learningRate: Double
  /// `β₁`, the weight of the old average `m` in the new one.
  public var beta1: Double
  /// `β₂`, the weight of the old average `v` in the new one.
  public var beta2: Double
  /// `ε`, which keeps the divisor above 0.
  public var epsilon: Double
  public var weightDecay: Double
  /// Whether the weight decay is decoupled from the gradient.
  public var isDecoupled: Bool
  /// Whether the largest `v` so far is used in place of `v`, so that steps do not grow again after large gradients.
  public var isAMSGrad: Bool

  public init(
    learningRate: Double = 1e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    weightDecay: Double = 0, isDecoupled: Bool = false, isAMSGrad: Bool = false
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.isDecoupled = isDecoupled
    self.isAMSGrad = isAMSGrad
  }

  public var momentum: Double {
    get { beta1 }
    set { beta1 = newValue }
  }

  public var hasFixedFormula: Bool { true }
  public var stateNames: [String] { ["exp_avg", "exp_avg_sq"] + (isAMSGrad ? ["max_exp_avg_sq"] : []) }

  public func update(step: StepCount, rate: Double, number: (Double) -> Tensor) -> ParameterUpdate {
    // The bias corrections change at every step. Like all settings that a user may change, they are passed to the plan
    // as scalars. Their values are not part of the plan's cache key, so all steps share one plan.
    let stepSize = step.corrected(rate, decay: beta1, number)
    let root = step.correctedRoot(decay: beta2, number)
    let (share1, share2, keep2, small) = (number(1 - beta1), number(1 - beta2), number(beta2), number(epsilon))
    let decay = WeightDecay(weightDecay, decoupledAt: isDecoupled ? rate : nil, number)
    return { [isAMSGrad] value, gradient, state in
      let (value, gradient) = decay.apply(value, gradient)
      state[0] = state[0].lerp(to: gradient, share1)
      state[1] = state[1].averaged(withSquareOf: gradient, keep: keep2, share: share2)
      if isAMSGrad { state[2] = state[2].maximum(state[1]) }
      return value - state[0] / (state[isAMSGrad ? 2 : 1].sqrt() * root + small) * stepSize
    }
  }
}
