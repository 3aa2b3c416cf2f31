import ApusTensor

/// The formula of an optimizer, in ordinary tensor operations for a single parameter. The planner makes one step
/// of the equal formulas of all parameters.
public protocol UpdateRule: Sendable {
  /// What the rule is called in options and checkpoints, for example `adam`.
  static var name: String { get }

  /// The learning rate to start with.
  var learningRate: Double { get }

  /// The names of the tensors that the rule keeps for each parameter; all start as zeros.
  var stateNames: [String] { get }

  /// The formula of one step.
  ///
  /// - Parameters:
  ///   - step: 1 for the first.
  ///   - rate: the learning rate of the step.
  ///   - number: makes a tensor of a number that may change from step to step without a new plan.
  func update(step: Int, rate: Double, number: (Double) -> Tensor) -> ParameterUpdate
}

/// From value and gradient to the new value; `state` is the rule's tensors for the parameter, which it replaces.
public typealias ParameterUpdate = (_ value: Tensor, _ gradient: Tensor, _ state: inout [Tensor]) -> Tensor
