import ApusTensor

/// AdaGrad (Duchi et al., 2011), as `torch.optim.Adagrad`. It accumulates squared gradients, so that its steps keep
/// shrinking; `RMSProp` averages squared gradients.
/// ```text
/// g ← g + weightDecay · w
/// s ← s + g²
/// w ← w − rate / (1 + (t − 1) · rateDecay) · g / (√s + ε)
/// ```
public struct AdaGrad: UpdateRule {
  public static let name = "adagrad"
  public var learningRate: Double
  /// The additional decay of the rate: update `t`, counted from 1, multiplies the rate by
  /// `1 / (1 + (t − 1) · rateDecay)`.
  public var rateDecay: Double
  /// The initial value of `s`.
  public var initialAccumulator: Double
  /// `ε`, which keeps the divisor above 0.
  public var epsilon: Double
  public var weightDecay: Double

  public init(
    learningRate: Double = 1e-2, rateDecay: Double = 0, initialAccumulator: Double = 0, epsilon: Double = 1e-10,
    weightDecay: Double = 0
  ) {
    self.learningRate = learningRate
    self.rateDecay = rateDecay
    self.initialAccumulator = initialAccumulator
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }

  public var hasFixedFormula: Bool { true }
  public var stateNames: [String] { ["sum"] }

  public func initialValue(of name: String, rate: Double) -> Double { initialAccumulator }

  public func update(step: StepCount, rate: Double, number: (Double) -> Tensor) -> ParameterUpdate {
    let small = number(epsilon)
    let rate = step.number(number) {
      rate / (1 + Double($0 - 1) * rateDecay)
    } device: {
      number(rate) / (($0 - number(1)) * number(rateDecay) + number(1))
    }
    let decay = WeightDecay(weightDecay, number)
    return { value, gradient, state in
      let gradient = decay.coupled(gradient, value)
      state[0] = state[0] + gradient * gradient
      return value - gradient / (state[0].sqrt() + small) * rate
    }
  }
}
