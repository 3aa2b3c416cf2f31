import ApusTensor

/// The formula of an optimizer, in ordinary tensor operations for a single parameter. The planner makes one step
/// of the equal formulas of all parameters.
public protocol UpdateRule: Sendable {
  /// What the rule is called in options and checkpoints, for example `adam`.
  static var name: String { get }

  /// The learning rate to start with.
  var learningRate: Double { get }

  /// How strongly weights are pulled to zero; each rule says in which of the ways.
  var weightDecay: Double { get set }

  /// The names of the tensors that the rule keeps for each parameter.
  var stateNames: [String] { get }

  /// What a tensor that the rule keeps is filled with before the first step; 0 unless a rule says otherwise.
  ///
  /// - Parameters:
  ///   - name: one of `stateNames`.
  ///   - rate: the learning rate to start with of the parameter.
  func initialValue(of name: String, rate: Double) -> Double

  /// The formula of one step.
  ///
  /// - Parameters:
  ///   - step: the number of the update.
  ///   - rate: the learning rate of the step.
  ///   - number: makes a tensor of a number that may change from step to step without a new plan.
  func update(step: StepCount, rate: Double, number: (Double) -> Tensor) -> ParameterUpdate
}

extension UpdateRule {
  public func initialValue(of name: String, rate: Double) -> Double { 0 }
}

/// From value and gradient to the new value; `state` is the rule's tensors for the parameter, which it replaces.
public typealias ParameterUpdate = (_ value: Tensor, _ gradient: Tensor, _ state: inout [Tensor]) -> Tensor

/// A rule with momentum that a schedule may move, such as the one-cycle schedule. Adam's is β₁.
public protocol MomentumRule: UpdateRule {
  var momentum: Double { get set }
}

/// A rule that takes gradients at another place than the parameters' values.
public protocol LookAheadRule: UpdateRule {
  /// The place for a parameter.
  func point(number: (Double) -> Tensor) -> (_ value: Tensor, _ state: [Tensor]) -> Tensor
}

extension Double {
  /// The number to an integer power, by squaring: the same bits on every machine.
  func raised(to exponent: Int) -> Double {
    var (result, factor, rest) = (1.0, self, exponent)
    while rest > 0 {
      if rest & 1 == 1 { result *= factor }
      factor *= factor
      rest >>= 1
    }
    return result
  }
}

/// `gradient + decay · value`: weight decay as part of the gradient, that of `decay / 2 · ‖w‖²`.
func decayed(_ gradient: Tensor, _ value: Tensor, _ decay: Tensor?) -> Tensor {
  decay.map { gradient + value * $0 } ?? gradient
}
