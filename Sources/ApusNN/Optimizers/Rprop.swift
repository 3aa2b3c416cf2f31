import ApusTensor

/// Resilient back-propagation (Riedmiller, Braun, 1993), as `torch.optim.Rprop`. It uses only the sign of the gradient,
/// and a step size `s` for each weight, which grows while the gradient keeps its sign.
/// ```text
/// c ← sign(g · previous);  s ← clamp(s · (c > 0 ? growth : c < 0 ? shrinkage : 1), limits);  g ← 0 where c < 0
/// w ← w − sign(g) · s;  previous ← g
/// ```
/// Here `w` is the weight, `g` its gradient, `previous` the `g` of the step before, and `limits` the range from
/// `smallestStep` to `largestStep`. The rule needs gradients of the full batch. The learning rate is only the initial
/// step size: schedules have no effect.
public struct Rprop: UpdateRule {
  public static let name = "rprop"
  public var learningRate: Double
  /// The factor of `s` where the gradient changes its sign.
  public var shrinkage: Double
  /// The factor of `s` where the gradient keeps its sign.
  public var growth: Double
  /// The lower limit of `s`, in the unit of the parameter.
  public var smallestStep: Double
  /// The upper limit of `s`, in the unit of the parameter.
  public var largestStep: Double
  /// The weight decay, which is added to the gradient.
  public var weightDecay: Double

  public init(
    learningRate: Double = 1e-2, shrinkage: Double = 0.5, growth: Double = 1.2, smallestStep: Double = 1e-6,
    largestStep: Double = 50, weightDecay: Double = 0
  ) {
    self.learningRate = learningRate
    self.shrinkage = shrinkage
    self.growth = growth
    self.smallestStep = smallestStep
    self.largestStep = largestStep
    self.weightDecay = weightDecay
  }

  public var hasFixedFormula: Bool { true }
  public var stateNames: [String] { ["prev", "step_size"] }

  public func initialValue(of name: String, rate: Double) -> Double { name == "step_size" ? rate : 0 }

  public func update(step: StepCount, rate: Double, number: (Double) -> Tensor) -> ParameterUpdate {
    let (less, more) = (number(shrinkage), number(growth))
    let (zero, one) = (number(0), number(1))
    let decay = WeightDecay(weightDecay, number)
    return { [smallestStep, largestStep] value, gradient, state in
      let gradient = decay.coupled(gradient, value)
      // Multiplies the signs, because a product of gradients may underflow.
      let change = gradient.sign() * state[0].sign()
      let isBack = change .< 0
      let factor = isBack.select(less, (change .> 0).select(more, one))
      state[1] = (state[1] * factor).clamped(lower: smallestStep, upper: largestStep)
      state[0] = isBack.select(zero, gradient)
      return value - state[0].sign() * state[1]
    }
  }
}
