import ApusTensor

/// An update rule with a name in the catalog.
private struct NamedRule: Sendable {
  let name: String
  /// Makes the rule from the learning rate and the weight decay.
  let make: @Sendable (_ rate: Double, _ decay: Double) -> any UpdateRule

  static let all = gradientDescent + adaptive

  private static let gradientDescent = [
    NamedRule(name: "sgd") { SGD(learningRate: $0, weightDecay: $1) },
    NamedRule(name: "momentum") { SGD(learningRate: $0, momentum: 0.9, weightDecay: $1) },
    NamedRule(name: "nesterov") { SGD(learningRate: $0, momentum: 0.9, isNesterov: true, weightDecay: $1) },
    NamedRule(name: NesterovLookAhead.name) { NesterovLookAhead(learningRate: $0, weightDecay: $1) },
    NamedRule(name: AveragedMomentum.name) { AveragedMomentum(learningRate: $0, weightDecay: $1) },
    NamedRule(name: Rprop.name) { Rprop(learningRate: $0, weightDecay: $1) },
  ]

  private static let adaptive = [
    NamedRule(name: AdaGrad.name) { AdaGrad(learningRate: $0, weightDecay: $1) },
    NamedRule(name: RMSProp.name) { RMSProp(learningRate: $0, weightDecay: $1) },
    NamedRule(name: AdaDelta.name) { AdaDelta(learningRate: $0, weightDecay: $1) },
    NamedRule(name: "adam") { Adam(learningRate: $0, weightDecay: $1) },
    NamedRule(name: "adamw") { Adam(learningRate: $0, weightDecay: $1, isDecoupled: true) },
    NamedRule(name: "amsgrad") { Adam(learningRate: $0, weightDecay: $1, isAMSGrad: true) },
    NamedRule(name: Adamax.name) { Adamax(learningRate: $0, weightDecay: $1) },
    NamedRule(name: NAdam.name) { NAdam(learningRate: $0, weightDecay: $1) },
    NamedRule(name: LAMB.name) { LAMB(learningRate: $0, weightDecay: $1) },
  ]
}

/// The names that `optimizerRule` accepts.
public let optimizerNames = NamedRule.all.map(\.name)

/// The update rule with a name. `momentum` and `nesterov` are `SGD` with a momentum of 0.9, `adamw` and `amsgrad` are
/// forms of `Adam`; all other settings are the defaults of the rules.
public func optimizerRule(
  _ name: String, learningRate: Double, weightDecay: Double = 0
) throws(OptimizerError) -> any UpdateRule {
  guard let rule = NamedRule.all.first(where: { $0.name == name }) else { throw .unknownOptimizer(name) }
  return rule.make(learningRate, weightDecay)
}

private let schedules: [(name: String, make: @Sendable () -> any Schedule)] = [
  (ConstantSchedule.name, { ConstantSchedule() }), (StepSchedule.name, { StepSchedule() }),
  (MultiStepSchedule.name, { MultiStepSchedule() }), (ExponentialSchedule.name, { ExponentialSchedule() }),
  (InverseTimeSchedule.name, { InverseTimeSchedule() }), (PolynomialSchedule.name, { PolynomialSchedule(power: 2) }),
  (LinearSchedule.name, { LinearSchedule() }), (TriangleSchedule.name, { TriangleSchedule() }),
  (CosineSchedule.name, { CosineSchedule() }),
  (CosineRestartsSchedule.name, { CosineRestartsSchedule() }), (OneCycleSchedule.name, { OneCycleSchedule() }),
  (CyclicSchedule.name, { CyclicSchedule() }), (WarmUpSchedule.name, { WarmUpSchedule() }),
  (ReduceOnPlateau.name, { ReduceOnPlateau() }),
]

/// The names that `learningRateSchedule` accepts.
public let scheduleNames = schedules.map(\.name)

/// The schedule with a name. `polynomial` has the power 2; all other settings have the schedules' defaults, and some of
/// these defaults depend on the length of the run.
///
/// - Parameter warmup: the number of steps of a linear warm-up before the schedule; 0 for none.
public func learningRateSchedule(
  _ name: String, warmup: Int = 0
) throws(OptimizerError) -> any Schedule {
  guard let schedule = schedules.first(where: { $0.name == name })?.make() else { throw .unknownSchedule(name) }
  return warmup > 0 ? WarmUpSchedule(steps: warmup, then: schedule) : schedule
}

/// An unknown name of an optimizer or schedule, or too many skipped updates.
public enum OptimizerError: Error, Hashable, Sendable {
  case unknownOptimizer(String)
  case unknownSchedule(String)
  /// In mixed precision `count` updates in a row were skipped, since gradients were not finite although the loss scale
  /// was reduced. The anomaly is the first operation that produced NaN or infinity in the following step.
  case skippedUpdates(count: Int, Anomaly)
}

extension OptimizerError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unknownOptimizer(let name):
      return "unknown optimizer \"\(name)\"; choose from \(optimizerNames.joined(separator: ", "))"
    case .unknownSchedule(let name):
      return "unknown schedule \"\(name)\"; choose from \(scheduleNames.joined(separator: ", "))"
    case .skippedUpdates(let count, let anomaly):
      return "\(count) updates in a row were skipped, because their gradients were not finite at any loss scale: "
        + "\(anomaly); a lower learning rate, clipped gradients, or a precision with a larger range (float32 or "
        + "mixed(.bfloat16)) may help"
    }
  }
}
