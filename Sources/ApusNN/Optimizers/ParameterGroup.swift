import ApusTensor

/// Parameters with settings of their own, for example a smaller rate for the layers of a base model, or no weight decay
/// for biases.
public struct ParameterGroup: Sendable {
  /// Parameters of the optimizer's model; each may be in only one of the optimizer's groups.
  public let parameters: [Parameter]
  /// The factor by which the learning rate is multiplied for this group.
  public var rateFactor: Double
  /// Replaces the learning rate of the optimizer's update rule; `nil` keeps it. `rateFactor` still applies. When a
  /// schedule halves the optimizer's learning rate, the replacement is halved too.
  public var learningRate: Double?
  /// Replaces the weight decay of the update rule; `nil` keeps it.
  public var weightDecay: Double?
  /// The constraint that each update applies to the new values; `nil` for none.
  public var constraint: (any Constraint)?

  public init(
    _ parameters: [Parameter], rateFactor: Double = 1, learningRate: Double? = nil, weightDecay: Double? = nil,
    constraint: (any Constraint)? = nil
  ) {
    self.parameters = parameters
    self.rateFactor = rateFactor
    self.learningRate = learningRate
    self.weightDecay = weightDecay
    self.constraint = constraint
  }

  /// Whether both groups have the same constraint, or none.
  func hasConstraint(of other: ParameterGroup) -> Bool {
    guard let constraint, let others = other.constraint else { return constraint == nil && other.constraint == nil }
    return constraint.isEqual(to: others)
  }

  /// A group without weight decay: the parameters of a model that `isExempt` accepts, by default those with at most one
  /// axis (biases, and the scales and shifts of normalizations).
  public static func withoutDecay(
    of model: any Module, where isExempt: ((_ key: String, _ parameter: Parameter) -> Bool)? = nil
  ) -> ParameterGroup {
    ParameterGroup(model.state.parameters { isExempt?($0, $1) ?? ($1.shape.rank <= 1) }, weightDecay: 0)
  }
}

extension ModelState {
  /// The parameters for which `isIncluded` returns true.
  public func parameters(where isIncluded: (_ key: String, _ parameter: Parameter) -> Bool) -> [Parameter] {
    entries.compactMap { entry in entry.parameter.flatMap { isIncluded(entry.key, $0) ? $0 : nil } }
  }
}
