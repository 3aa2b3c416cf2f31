import Apus

/// A case of the fixture `schedules`: a schedule with its settings, for a run of 200 steps.
struct ScheduleCase: Sendable {
  let name: String
  let schedule: any Schedule

  init(_ name: String, _ schedule: any Schedule) {
    self.name = name
    self.schedule = schedule
  }

  /// Every schedule, as in `Tests/Conformance/schedules.py`.
  static let all = falling + composed + cycles + plateaus

  private static let falling = [
    ScheduleCase("constant", ConstantSchedule()),
    ScheduleCase("step", StepSchedule(every: 30, gamma: 0.5)),
    ScheduleCase("multi-step", MultiStepSchedule(milestones: [20, 50, 51, 120], gamma: 0.3)),
    ScheduleCase("exponential", ExponentialSchedule(gamma: 0.97)),
    ScheduleCase("inverse-time", InverseTimeSchedule(decay: 0.05)),
    ScheduleCase("polynomial", PolynomialSchedule(power: 2.5)),
    ScheduleCase("polynomial-steps", PolynomialSchedule(steps: 60)),
    ScheduleCase("linear", LinearSchedule(from: 1.0 / 3, to: 1, steps: 5)),
    ScheduleCase("linear-down", LinearSchedule(to: 0.1, steps: 150)),
    ScheduleCase("triangle", TriangleSchedule()),
    ScheduleCase("cosine", CosineSchedule()),
    ScheduleCase("cosine-final", CosineSchedule(final: 0.1)),
  ]

  private static let composed = [
    ScheduleCase("constant-then", ConstantThenSchedule(0.25, steps: 40)),
    ScheduleCase("constant-then-cosine", ConstantThenSchedule(0.25, steps: 40, then: CosineSchedule())),
    ScheduleCase("warm-up", WarmUpSchedule(steps: 20, from: 0.05)),
    ScheduleCase("warm-up-cosine", WarmUpSchedule(steps: 25, from: 0.1, then: CosineSchedule())),
  ]

  private static let cycles = [
    ScheduleCase("cosine-restarts", CosineRestartsSchedule(period: 25, final: 0.05)),
    ScheduleCase("cosine-restarts-equal", CosineRestartsSchedule(period: 30, growth: 1)),
    ScheduleCase("one-cycle", OneCycleSchedule()),
    ScheduleCase(
      "one-cycle-three-phases",
      OneCycleSchedule(riseShare: 0.37, startDivisor: 10, endDivisor: 100, hasThreePhases: true, isLinear: true)),
    ScheduleCase("cyclic", CyclicSchedule(rise: 25)),
    ScheduleCase("cyclic-halving", CyclicSchedule(base: 0.2, rise: 10, fall: 30, mode: .halving, momenta: nil)),
    ScheduleCase(
      "cyclic-exponential",
      CyclicSchedule(base: 0.2, rise: 15, fall: 30, mode: .exponential(gamma: 0.99), momenta: 0.7...0.9)),
  ]

  private static let plateaus = [
    ScheduleCase("plateau", ReduceOnPlateau()),
    ScheduleCase(
      "plateau-options",
      ReduceOnPlateau(
        prefersLarger: true, reduction: 0.6, patience: 3, threshold: .absolute(0.01), cooldown: 5, minimum: 0.02)),
    ScheduleCase(
      "plateau-max-relative",
      ReduceOnPlateau(prefersLarger: true, reduction: 0.5, patience: 7, threshold: .relative(0.05))),
    ScheduleCase(
      "plateau-min-absolute", ReduceOnPlateau(reduction: 0.5, patience: 2, threshold: .absolute(0.1), cooldown: 2)),
  ]
}
