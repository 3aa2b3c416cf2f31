import ApusTensor

/// RMSProp (Tieleman, Hinton, 2012), as `torch.optim.RMSprop`. It averages squared gradients, whereas `AdaGrad`
/// accumulates them.
/// ```text
/// g ← g + weightDecay · w
/// s ← α · s + (1 − α) · g²
/// a ← a + (1 − α) · (g − a), s − a² in place of s      centered (Graves, 2013)
/// d ← g / (√s + ε)                                    or, inside the root, g / √(s + ε)
/// m ← momentum · m + d, m in place of d                with momentum
/// w ← w − rate · d
/// ```
public struct RMSProp: MomentumRule {
  public static let name = "rmsprop"
  public var learningRate: Double
  /// `α`, the weight of the old averages in the new ones.
  public var alpha: Double
  /// `ε`, which keeps the divisor above 0.
  public var epsilon: Double
  /// Whether `ε` is added inside the root, as in textbooks and TensorFlow.
  public var addsEpsilonInsideRoot: Bool
  public var momentum: Double
  /// Whether `a²` is subtracted from `s`: the difference is the variance of the gradients.
  public var isCentered: Bool
  public var weightDecay: Double

  public init(
    learningRate: Double = 1e-2, alpha: Double = 0.99, epsilon: Double = 1e-8, addsEpsilonInsideRoot: Bool = false,
    momentum: Double = 0, isCentered: Bool = false, weightDecay: Double = 0
  ) {
    self.learningRate = learningRate
    self.alpha = alpha
    self.epsilon = epsilon
    self.addsEpsilonInsideRoot = addsEpsilonInsideRoot
    self.momentum = momentum
    self.isCentered = isCentered
    self.weightDecay = weightDecay
  }

  public var hasFixedFormula: Bool { true }
  public var stateNames: [String] {
    ["square_avg"] + (isCentered ? ["grad_avg"] : []) + (momentum == 0 ? [] : ["momentum_buffer"])
  }

  public func update(step: StepCount, rate: Double, number: (Double) -> Tensor) -> ParameterUpdate {
    let (rate, keep, share, small) = (number(rate), number(alpha), number(1 - alpha), number(epsilon))
    let decay = WeightDecay(weightDecay, number)
    let friction = momentum == 0 ? nil : number(momentum)
    let zero = number(0)
    return { [isCentered, addsEpsilonInsideRoot] value, gradient, state in
      let gradient = decay.coupled(gradient, value)
      state[0] = state[0].averaged(withSquareOf: gradient, keep: keep, share: share)
      var spread = state[0]
      if isCentered {
        state[1] = state[1].lerp(to: gradient, share)
        // When gradients hardly change, rounding may make `s − a²` negative.
        spread = (spread - state[1] * state[1]).maximum(zero)
      }
      var direction = gradient / (addsEpsilonInsideRoot ? (spread + small).sqrt() : spread.sqrt() + small)
      if let friction {
        direction = state[state.count - 1] * friction + direction
        state[state.count - 1] = direction
      }
      return value - direction * rate
    }
  }
}
