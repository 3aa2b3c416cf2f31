import Apus
import ApusTestSupport
import Testing

/// The plans and the memory of optimizers, frozen parameters, and the factors of schedules.
@Suite struct OptimizerTests {
  let device = ComputeDevice(backend: ReferenceDevice())

  /// With a warm-up of four steps, the factor of the second step is 2/4.
  @Test func cosineRisesFirst() {
    #expect(CosineSchedule(warmup: 4).factor(step: 1, of: 10) == 0.5)
  }

  /// In 476 steps, the factor of the triangle rises to 1 at step ⌊0.23 · 476⌋ = 109.
  @Test func trianglesRiseAndFall() {
    let schedule = TriangleSchedule()
    func factor(_ step: Int) -> Double { schedule.factor(step: step, of: 476) }
    #expect(factor(0) == 0.2 && factor(109) == 1)
    #expect(abs(factor(54) - (0.2 + 0.8 * 54 / 109)) < 1e-12)
    #expect(abs(factor(475) - (1 - 0.93 * 366 / 367)) < 1e-12)
    #expect(abs(factor(476) - 0.07) < 1e-12)
    #expect(TriangleSchedule(from: 0, peak: 0.5, to: 0.5).factor(step: 3, of: 4) == 0.75)
  }

  /// Learning rates and bias corrections are scalar arguments of a plan, not constants in it. Updates overwrite the old
  /// values, so the memory in use does not grow.
  @Test func aThousandAdamStepsPrepareTwoPlans() throws {
    try withDevice(device) { () throws in
      let net = withRandomKey(RandomKey(seed: 1)) { Sequential { Linear(3, 2) } }
      let optimizer = Optimizer(Adam(), for: net)
      let x = try eval(Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3]))
      let schedule = CosineSchedule()
      var used: Set<Int> = []
      for step in 0..<1000 {
        optimizer.learningRate = 1e-3 * schedule.factor(step: step, of: 1000)
        try optimizer.minimize { net(x).squared().mean() }
        if step > 1 { used.insert(device.memory.used) }
      }
      #expect(device.preparedPlanCount == 2)
      #expect(used.count == 1, "memory grows from step to step: \(used.sorted())")
    }
  }

  @Test func updatesOverwriteInPlace() throws {
    try withDevice(device) { () throws in
      let net = withRandomKey(RandomKey(seed: 1)) { Sequential { Linear(300, 200) } }
      let optimizer = Optimizer(Adam(), for: net)
      let x = try eval(Tensor.ones([2, 300]))
      try optimizer.minimize { net(x).squared().mean() }
      let used = device.memory.used
      // Three arrays of the size of the parameters: the parameters and both moments.
      #expect(used < 3 * 4 * (300 * 200 + 200) + 4096)
      try optimizer.minimize { net(x).squared().mean() }
      #expect(device.memory.used == used)
    }
  }

  @Test func frozenParametersStay() throws {
    try withDevice(device) { () throws in
      let net = Sequential {
        Linear(2, 2)
        Linear(2, 1)
      }
      net.parameters[0].isTrainable = false
      let before = try net.parameters.map { try $0.value.array() }
      let optimizer = Optimizer(SGD(learningRate: 0.1), for: net)
      try optimizer.minimize { net(.ones([3, 2])).squared().mean() }
      let after = try net.parameters.map { try $0.value.array() }
      #expect(after[0] == before[0])
      #expect(after[1] != before[1] && after[3] != before[3])
    }
  }
}
