import ApusTensor

/// The formula of an optimizer, written in ordinary tensor operations for a single parameter. The planner fuses the
/// equal formulas of all parameters into one step of the plan.
///
/// The documentation of the rules writes `w` for the parameter, `g` for its gradient, `rate` for the learning rate of
/// the update, and `t` for the number of the update; the first update is 1.
public protocol UpdateRule: Sendable {
  /// The name of the rule in options and checkpoints, for example `adam`.
  static var name: String { get }

  /// The initial learning rate.
  var learningRate: Double { get }

  /// The strength of weight decay; each rule documents the form it uses.
  var weightDecay: Double { get set }

  /// The names of the state tensors that the rule has for each parameter.
  var stateNames: [String] { get }

  /// The initial value of a state tensor; 0 by default.
  ///
  /// - Parameters:
  ///   - name: one of `stateNames`.
  ///   - rate: the parameter's initial learning rate.
  func initialValue(of name: String, rate: Double) -> Double

  /// Whether `update` returns the same formula in each step. The values of numbers that `update` makes before it
  /// returns may differ. If this is `false`, as by default, a `CompiledStep` builds its graph in each step.
  var hasFixedFormula: Bool { get }

  /// The formula of one update.
  ///
  /// - Parameters:
  ///   - step: the number of the update.
  ///   - rate: the learning rate of the update.
  ///   - number: makes a scalar tensor, in the parameter's type. Its value may change from update to update without a
  ///     new plan.
  /// - Returns: a function that computes the new value of a parameter; see `ParameterUpdate`.
  func update(step: StepCount, rate: Double, number: (Double) -> Tensor) -> ParameterUpdate
}

extension UpdateRule {
  public var hasFixedFormula: Bool { false }
  public func initialValue(of name: String, rate: Double) -> Double { 0 }
}

/// Computes a parameter's new value from its value and gradient, and updates `state`, the rule's tensors for the
/// parameter in the order of `stateNames`. All these tensors have the shape and type of the parameter.
public typealias ParameterUpdate = (_ value: Tensor, _ gradient: Tensor, _ state: inout [Tensor]) -> Tensor

/// A rule with momentum, which a schedule such as one-cycle may change. For Adam the momentum is β₁.
public protocol MomentumRule: UpdateRule {
  var momentum: Double { get set }
}

/// A rule that requires gradients at a point other than the parameters' values.
public protocol GradientPointRule: UpdateRule {
  /// Returns a function that computes the point at which the gradient of a parameter is taken, in the shape and type of
  /// the parameter's value. `state` are the rule's tensors in the order of `stateNames`.
  func point(number: (Double) -> Tensor) -> (_ value: Tensor, _ state: [Tensor]) -> Tensor
}

extension Double {
  /// The integer power, by repeated squaring, so that the result has the same bits on every machine.
  func raised(to exponent: Int) -> Double {
    var (result, factor, rest) = (1.0, self, exponent)
    while rest > 0 {
      if rest & 1 == 1 { result *= factor }
      factor *= factor
      rest >>= 1
    }
    return result
  }

  /// `1 − βᵗ`, where this number is `β`. An exponential moving average that was initialized with 0 is divided by this
  /// value after `t` updates (Kingma, Ba, 2015).
  func biasCorrection(_ t: Int) -> Double { 1 - raised(to: t) }
}
