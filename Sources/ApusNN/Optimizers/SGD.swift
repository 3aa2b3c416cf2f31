import ApusTensor

/// Gradient descent with momentum, as `torch.optim.SGD`. For a parameter `w` with gradient `g` and momentum buffer `m`:
/// ```text
/// g ← g + weightDecay · w
/// m ← momentum · m + (1 − dampening) · g          in the first step m ← g
/// w ← w − rate · (nesterov ? g + momentum · m : m)
/// ```
/// With Nesterov momentum, `w` is the look-ahead point of the original form: see `NesterovLookAhead`.
public struct SGD: MomentumRule {
  public static let name = "sgd"
  public var learningRate: Double
  public var momentum: Double
  /// The fraction of each gradient that is not added to the momentum.
  public var dampening: Double
  /// Whether the step uses Nesterov momentum (Sutskever et al., 2013).
  public var isNesterov: Bool
  public var weightDecay: Double

  public init(
    learningRate: Double, momentum: Double = 0, dampening: Double = 0, isNesterov: Bool = false,
    weightDecay: Double = 0
  ) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.dampening = dampening
    self.isNesterov = isNesterov
    self.weightDecay = weightDecay
  }

  public var hasFixedFormula: Bool { true }
  public var stateNames: [String] { momentum == 0 ? [] : ["momentum_buffer"] }

  public func update(step: StepCount, rate: Double, number: (Double) -> Tensor) -> ParameterUpdate {
    let rate = number(rate)
    let decay = WeightDecay(weightDecay, number)
    let friction = momentum == 0 ? nil : number(momentum)
    let share =
      dampening == 0
      ? nil
      : step.number(number) {
        $0 == 1 ? 1 : 1 - dampening
      } device: {
        ($0 .== 1).select(number(1), number(1 - dampening))
      }
    return { [isNesterov] value, gradient, state in
      var direction = decay.coupled(gradient, value)
      if let friction {
        state[0] = state[0] * friction + (share.map { direction * $0 } ?? direction)
        direction = isNesterov ? direction + state[0] * friction : state[0]
      }
      return value - direction * rate
    }
  }
}
