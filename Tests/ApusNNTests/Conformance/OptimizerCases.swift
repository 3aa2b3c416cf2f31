import Apus

/// An optimizer with the settings of a case in a fixture.
struct OptimizerCase: Sendable {
  let name: String
  let rule: any UpdateRule
  var clip: @Sendable (Gradients) -> Gradients = { $0 }

  init(_ name: String, _ rule: any UpdateRule, clip: @escaping @Sendable (Gradients) -> Gradients = { $0 }) {
    self.name = name
    self.rule = rule
    self.clip = clip
  }

  /// Every optimizer, as in `Tests/Conformance/optimizers.py`.
  static let all = [
    OptimizerCase("sgd", SGD(learningRate: 0.1)),
    OptimizerCase("sgd-decay", SGD(learningRate: 0.1, weightDecay: 0.01)),
    OptimizerCase("momentum", SGD(learningRate: 0.05, momentum: 0.9)),
    OptimizerCase("nesterov", SGD(learningRate: 0.05, momentum: 0.9, isNesterov: true, weightDecay: 0.01)),
    OptimizerCase("adam", Adam(learningRate: 0.01)),
    OptimizerCase("adam-decay", Adam(learningRate: 0.01, beta1: 0.8, beta2: 0.99, weightDecay: 0.1)),
    OptimizerCase("adamw", Adam(learningRate: 0.01, weightDecay: 0.1, isDecoupled: true)),
    OptimizerCase("sgd-clipped", SGD(learningRate: 0.1)) { $0.clipped(toNorm: 0.5) },
  ]
}

/// A schedule with the settings of a case in a fixture, of 200 steps.
struct ScheduleCase: Sendable {
  let name: String
  let schedule: any Schedule

  init(_ name: String, _ schedule: any Schedule) {
    self.name = name
    self.schedule = schedule
  }

  /// Every schedule, as in `Tests/Conformance/schedules.py`.
  static let all = [
    ScheduleCase("constant", ConstantSchedule()),
    ScheduleCase("cosine", CosineSchedule()),
    ScheduleCase("cosine-final", CosineSchedule(final: 0.1)),
  ]
}
