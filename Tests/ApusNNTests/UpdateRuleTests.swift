import Apus
import ApusTestSupport
import Testing

/// Common properties of all update rules, equivalent forms of one rule, and properties of schedules.
@Suite struct UpdateRuleTests {
  let device = ComputeDevice(backend: ReferenceDevice())

  /// Every rule of the catalog, and four rules whose options add state tensors or change the formula.
  private static func rules() throws -> [any UpdateRule] {
    try optimizerNames.map { try optimizerRule($0, learningRate: 0.01, weightDecay: 0.001) } + [
      SGD(learningRate: 0.01, momentum: 0.9, dampening: 0.5), AdaGrad(rateDecay: 0.1, initialAccumulator: 1),
      RMSProp(addsEpsilonInsideRoot: true, momentum: 0.9, isCentered: true), NAdam(weightDecay: 0.1, isDecoupled: true),
    ]
  }

  private func net() -> Sequential {
    withRandomKey(RandomKey(seed: 1)) { Sequential { Linear(3, 2) } }
  }

  private func batch() throws -> Tensor { try eval(Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])) }

  /// Learning rates, momenta and bias corrections are scalar arguments of a plan, not constants in it.
  @Test func aThousandStepsOfEveryRulePrepareTwoPlans() throws {
    let rules = try UpdateRuleTests.rules()
    for rule in rules {
      let device = ComputeDevice(backend: ReferenceDevice())
      try withDevice(device) { () throws in
        let (net, x) = (net(), try batch())
        let optimizer = Optimizer(rule, for: net)
        let schedule = OneCycleSchedule()
        for step in 0..<1000 {
          optimizer.learningRate = 1e-3 * schedule.factor(step: step, of: 1000)
          optimizer.momentum = schedule.momentum(step: step, of: 1000)
          try optimizer.minimize { net(x).squared().mean() }
        }
        #expect(device.preparedPlanCount == 2, "\(rule)")
        let values = try net.parameters.flatMap { try $0.value.array() }
        #expect(values.allSatisfy { $0.isFinite }, "\(rule)")
      }
    }
    print("plans: 1000 steps of each of \(rules.count) rules prepare 2")
  }

  /// The losses of `steps` steps, and the optimizer after these steps.
  private func losses(_ rule: any UpdateRule, steps: Int = 30) throws -> (losses: [Double], optimizer: Optimizer) {
    let (net, x) = (net(), try batch())
    let optimizer = Optimizer(rule, for: net)
    return try ((0..<steps).map { _ in try optimizer.minimize { net(x).squared().mean() }.scalar() }, optimizer)
  }

  @Test func bothFormsOfNesterovHaveOneTrajectory() throws {
    try withDevice(device) { () throws in
      let ahead = try losses(NesterovLookAhead(learningRate: 0.01, momentum: 0.8, weightDecay: 0.1))
      let plain = try losses(SGD(learningRate: 0.01, momentum: 0.8, isNesterov: true, weightDecay: 0.1))
      #expect(ahead.losses.last! < 0.2 * ahead.losses[0])
      for (one, other) in zip(ahead.losses, plain.losses) { #expect(abs(one - other) <= 1e-5 * ahead.losses[0]) }
      // The look-ahead points of the first form are the weights of the second form.
      let places = ahead.optimizer.atGradientPoint { ahead.optimizer.parameters.map(\.value) }
      for (place, parameter) in zip(places, plain.optimizer.parameters) {
        #expect(try place.isClose(to: parameter.value, relative: 1e-4, absolute: 1e-5).all().scalar() == 1)
        #expect(try (place .!= 0).any().scalar() == 1)
      }
    }
  }

  /// Averaged momentum with the rate `η` and the momentum `μ` equals SGD with this momentum at the rate `(1 − μ) · η`.
  @Test func averagedMomentumIsMomentumAtAShareOfTheRate() throws {
    try withDevice(device) { () throws in
      let averaged = try losses(AveragedMomentum(learningRate: 0.05, momentum: 0.8))
      let plain = try losses(SGD(learningRate: 0.01, momentum: 0.8))
      for (one, other) in zip(averaged.losses, plain.losses) { #expect(abs(one - other) <= 1e-5 * plain.losses[0]) }
    }
  }

  /// In centered RMSProp, rounding does not make the computed variance of a constant gradient negative.
  @Test func centeredAveragesOfConstantGradientsAreFinite() throws {
    try withDevice(device) { () throws in
      let net = Sequential { Linear(3, 2) }
      let optimizer = Optimizer(RMSProp(learningRate: 1e-6, alpha: 0.5, isCentered: true), for: net)
      for _ in 0..<200 { try optimizer.minimize { (net.parameters[0].value * 0.3).sum() } }
      #expect(try net.parameters[0].value.array().allSatisfy { $0.isFinite })
    }
  }

  /// SGD uses the momentum of the schedule in its formula.
  @Test func schedulesMoveTheMomentum() throws {
    try withDevice(device) { () throws in
      let net = Sequential { Linear(1, 1, hasBias: false, initializer: .ones) }
      let optimizer = Optimizer(SGD(learningRate: 0.1, momentum: 0.9), for: net)
      let schedule = OneCycleSchedule()
      var (value, velocity) = (1.0, 0.0)
      for step in 0..<10 {
        let momentum = schedule.momentum(step: step, of: 10)!
        optimizer.momentum = momentum
        try optimizer.minimize { net(.ones([1, 1])).squared().sum() }
        velocity = momentum * velocity + 2 * value
        value -= 0.1 * velocity
        #expect(abs(try net.parameters[0].value.scalar() - value) < 1e-5)
      }
    }
  }

  /// Every schedule in the catalog gives factors from 0 to 1 for runs of 1 to `Int.max` steps, with and without a
  /// warm-up of 5 steps, which is longer than the shortest runs.
  @Test func scheduleFactorsAreInRangeForAnyLength() throws {
    for name in scheduleNames {
      for warmup in [0, 5] {
        let schedule = try learningRateSchedule(name, warmup: warmup)
        for total in [1, 2, 7, 1000, Int.max] {
          for step in [0, 1, total / 2, total - 1] where step < total {
            let factor = schedule.factor(step: step, of: total)
            #expect(factor >= 0 && factor <= 1, "\(name) of \(total) at \(step): \(factor)")
          }
        }
      }
    }
  }

  /// Checkpoints store the memory of a schedule. A new schedule with this memory continues like the old one, also
  /// inside of a `WarmUpSchedule`.
  @Test func plateausRememberAcrossCheckpoints() {
    var one = ReduceOnPlateau(patience: 1, cooldown: 2)
    for metric in [3.0, 2, 2, 2, 2, 2, 2] { one.observe(metric) }
    #expect(abs(one.factor(step: 0, of: 1) - 0.1) < 1e-12)
    var other = WarmUpSchedule(steps: 0, then: ReduceOnPlateau(patience: 1, cooldown: 2))
    other.memory = one.memory
    for metric in [2.0, 2, 1, 1, 1] {
      one.observe(metric)
      other.observe(metric)
      #expect(one.factor(step: 9, of: 10) == other.factor(step: 9, of: 10))
      #expect(one.memory == other.memory)
    }
  }

  /// A rate that was reduced because every metric was NaN stays reduced in a resumed run.
  @Test func plateausRememberWithoutABestValue() {
    var one = ReduceOnPlateau(patience: 1)
    #expect(one.memory.isEmpty)
    for _ in 0..<3 { one.observe(.nan) }
    var other = ReduceOnPlateau(patience: 1)
    other.memory = one.memory
    #expect(other.factor(step: 0, of: 1) == one.factor(step: 0, of: 1) && other.factor(step: 0, of: 1) < 1)
    for metric in [2.0, 2, 2, 2] {
      one.observe(metric)
      other.observe(metric)
      #expect(one.memory == other.memory && one.memory.count == 4)
    }
  }
}
