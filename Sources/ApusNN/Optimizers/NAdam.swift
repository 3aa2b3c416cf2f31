import ApusTensor
import Glibc

/// NAdam (Dozat, 2016), as `torch.optim.NAdam`: Adam with Nesterov momentum that grows over the steps.
/// ```text
/// g ← g + weightDecay · w                  or, decoupled, w ← w − rate · weightDecay · w
/// μₜ = β₁ · (1 − 0.96^(t · momentumDecay) / 2)
/// m ← m + (1 − β₁) · (g − m);  v ← β₂ · v + (1 − β₂) · g²
/// d = √(v / (1 − β₂ᵗ)) + ε
/// w ← w − rate · ((1 − μₜ) / (1 − μ₁…μₜ) · g / d + μₜ₊₁ / (1 − μ₁…μₜ₊₁) · m / d)
/// ```
/// At step `t`, `w` is a parameter and `g` its gradient; `m` and `v` are the moving averages of the gradients and of
/// their squares. `μ₁…μₜ` is the product of `μ₁` to `μₜ`.
public struct NAdam: MomentumRule {
  public static let name = "nadam"
  public var learningRate: Double
  /// The weight of the old gradient average in the new one.
  public var beta1: Double
  /// The weight of the old average of squared gradients in the new one.
  public var beta2: Double
  /// `ε`, which keeps the divisor above 0.
  public var epsilon: Double
  /// How fast the momentum grows to `β₁`.
  public var momentumDecay: Double
  public var weightDecay: Double
  /// Whether the weight decay is decoupled from the gradient.
  public var isDecoupled: Bool

  public init(
    learningRate: Double = 2e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    momentumDecay: Double = 4e-3, weightDecay: Double = 0, isDecoupled: Bool = false
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.momentumDecay = momentumDecay
    self.weightDecay = weightDecay
    self.isDecoupled = isDecoupled
  }

  public var momentum: Double {
    get { beta1 }
    set { beta1 = newValue }
  }

  public var hasFixedFormula: Bool { true }
  public var stateNames: [String] { ["exp_avg", "exp_avg_sq"] }

  private func friction(_ step: Int) -> Double { beta1 * (1 - 0.5 * pow(0.96, Double(step) * momentumDecay)) }

  /// The product `μ₁…μₜ`. Multiplication stops once the product is too small to affect `1 − μ₁…μₜ`.
  private func frictionProduct(_ step: Int) -> Double {
    var product = 1.0
    for index in 1...step where product > 1e-20 { product *= friction(index) }
    return product
  }

  public func update(step: StepCount, rate: Double, number: (Double) -> Tensor) -> ParameterUpdate {
    // The schedule of the momentum counts all attempted steps, including skipped updates, as the schedule of the
    // learning rate does.
    let attempt = step.attempts
    let (now, next, product) = (friction(attempt), friction(attempt + 1), frictionProduct(attempt))
    let gradientSize = number(rate * (1 - now) / (1 - product))
    let averageSize = number(rate * next / (1 - product * next))
    let correction = step.corrected(1, decay: beta2, number)
    let (share1, keep2, share2, small) = (number(1 - beta1), number(beta2), number(1 - beta2), number(epsilon))
    let decay = WeightDecay(weightDecay, decoupledAt: isDecoupled ? rate : nil, number)
    return { value, gradient, state in
      let (value, gradient) = decay.apply(value, gradient)
      state[0] = state[0].lerp(to: gradient, share1)
      state[1] = state[1].averaged(withSquareOf: gradient, keep: keep2, share: share2)
      let root = state[1].correctedRoot(correction, plus: small)
      return value - gradient / root * gradientSize - state[0] / root * averageSize
    }
  }
}
