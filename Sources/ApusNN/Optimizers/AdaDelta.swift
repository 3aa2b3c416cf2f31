import ApusTensor

/// AdaDelta (Zeiler, 2012), as `torch.optim.Adadelta`: the gradient `g` of the weights `w` is divided by the size of
/// recent gradients and multiplied by the size of recent steps `d`. `s` and `u`, which start at 0, are running averages
/// of `g²` and `d²`.
/// ```text
/// g ← g + weightDecay · w
/// s ← ρ · s + (1 − ρ) · g²
/// d ← √(u + ε) / √(s + ε) · g
/// u ← ρ · u + (1 − ρ) · d²
/// w ← w − rate · d
/// ```
public struct AdaDelta: UpdateRule {
  public static let name = "adadelta"
  public var learningRate: Double
  /// `ρ`, the weight of the old averages in the new ones.
  public var rho: Double
  /// `ε`, added under both roots. It sets the size of the first steps.
  public var epsilon: Double
  public var weightDecay: Double

  public init(learningRate: Double = 1, rho: Double = 0.9, epsilon: Double = 1e-6, weightDecay: Double = 0) {
    self.learningRate = learningRate
    self.rho = rho
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }

  public var hasFixedFormula: Bool { true }
  public var stateNames: [String] { ["square_avg", "acc_delta"] }

  public func update(step: StepCount, rate: Double, number: (Double) -> Tensor) -> ParameterUpdate {
    let (rate, keep, share, small) = (number(rate), number(rho), number(1 - rho), number(epsilon))
    let decay = WeightDecay(weightDecay, number)
    return { value, gradient, state in
      let gradient = decay.coupled(gradient, value)
      state[0] = state[0].averaged(withSquareOf: gradient, keep: keep, share: share)
      let change = (state[1] + small).sqrt() / (state[0] + small).sqrt() * gradient
      state[1] = state[1].averaged(withSquareOf: change, keep: keep, share: share)
      return value - change * rate
    }
  }
}
