import ApusTensor

/// Parameters with settings of their own, for example a smaller rate for the layers of a base model, or no weight decay
/// for biases.
public struct ParameterGroup: Sendable {
  /// Which parameters they are.
  public let parameters: [Parameter]
  /// The factor of the optimizer's learning rate.
  public var rateFactor: Double
  /// In place of the rule's rate, and times `rateFactor`. It follows the optimizer's rate: where a schedule has halved
  /// that, this is halved too.
  public var learningRate: Double?
  /// In place of the rule's.
  public var weightDecay: Double?
  /// What new values are brought to, in the plan of the update.
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

  /// A group without weight decay of all parameters of a model that are exempt; unless told otherwise those with at most
  /// one axis: biases, and the scales and shifts of normalizations.
  public static func withoutDecay(
    of model: any Module, where isExempt: ((_ key: String, _ parameter: Parameter) -> Bool)? = nil
  ) -> ParameterGroup {
    ParameterGroup(model.state.parameters { isExempt?($0, $1) ?? ($1.shape.rank <= 1) }, weightDecay: 0)
  }
}

extension ModelState {
  /// The parameters that `isIncluded` takes.
  public func parameters(where isIncluded: (_ key: String, _ parameter: Parameter) -> Bool) -> [Parameter] {
    entries.compactMap { entry in entry.parameter.flatMap { isIncluded(entry.key, $0) ? $0 : nil } }
  }
}
