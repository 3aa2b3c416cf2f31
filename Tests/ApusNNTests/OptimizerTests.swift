import Apus
import ApusTestSupport
import Testing

/// Twenty steps of a small net with each optimizer against PyTorch.
@Suite struct OptimizerTests {
  let device = ComputeDevice(backend: ReferenceDevice())

  static let rules: [(name: String, rule: any UpdateRule)] = [
    ("sgd", SGD(learningRate: 0.1)),
    ("sgd-decay", SGD(learningRate: 0.1, weightDecay: 0.01)),
    ("momentum", SGD(learningRate: 0.05, momentum: 0.9)),
    ("nesterov", SGD(learningRate: 0.05, momentum: 0.9, isNesterov: true, weightDecay: 0.01)),
    ("adam", Adam(learningRate: 0.01)),
    ("adam-decay", Adam(learningRate: 0.01, beta1: 0.8, beta2: 0.99, weightDecay: 0.1)),
    ("adamw", Adam(learningRate: 0.01, weightDecay: 0.1, isDecoupled: true)),
    ("sgd-clipped", SGD(learningRate: 0.1)),
  ]

  private func makeNet() -> Sequential {
    Sequential {
      Conv2d(1, 3, kernel: 3, padding: 1, hasBias: false)
      BatchNorm(3)
      ReLU()
      MaxPool2d(2)
      Flatten()
      Linear(27, 8)
      Function { x in x.tanh() }
      Linear(8, 4)
    }
  }

  @Test(arguments: rules.map(\.name)) func agreesWithPyTorch(_ name: String) throws {
    let fixture = try #require(try LayerTests.fixture.get()["optimizers"])
    let run = try #require(fixture["runs"]?.array?.first { $0["name"]?.string == name })
    let rule = try #require(Self.rules.first { $0.name == name }).rule
    try withDevice(device) { () throws in
      let net = makeNet()
      for entry in net.state.entries { entry.assign(try ExpectedTensor(fixture["start"]?[entry.key]).tensor) }
      let x = try ExpectedTensor(fixture["input"]).tensor
      let y = try ExpectedTensor(fixture["targets"]).tensor
      let optimizer = Optimizer(rule, for: net)
      var losses: [Double] = []
      for _ in 0..<20 {
        let (loss, gradients) = withMode(.training) {
          valueAndGradients(of: optimizer.parameters) { crossEntropy(net(x), y) }
        }
        try optimizer.update(name == "sgd-clipped" ? gradients.clipped(toNorm: 0.5) : gradients)
        #expect(loss.isEvaluated, "the loss belongs to the plan of the update")
        losses.append(try loss.scalar())
      }
      for (step, expected) in (run["losses"]?.array ?? []).compactMap(\.number).enumerated() {
        #expect(abs(losses[step] - expected) < 2e-4 * (1 + expected), "loss of step \(step)")
      }
      for entry in net.state.entries {
        let misfit = try ExpectedTensor(run["after"]?[entry.key]).misfit(entry.value, tolerance: 1e-3)
        #expect(misfit == nil, "\(entry.key) at the end")
      }
    }
  }

  @Test func cosineScheduleAgreesWithPyTorch() throws {
    let expected = (try LayerTests.fixture.get()["cosine"]?.array ?? []).compactMap(\.number)
    #expect(expected.count == 11)
    for (step, factor) in expected.enumerated() {
      #expect(abs(CosineSchedule().factor(step: step, of: 10) - factor) < 1e-12)
    }
    #expect(CosineSchedule(warmup: 4).factor(step: 1, of: 10) == 0.5)
  }

  /// Rates and corrections are numbers of a plan, not part of it; old values are overwritten.
  @Test func aThousandAdamStepsPrepareTwoPlans() throws {
    try withDevice(device) { () throws in
      let net = withRandomKey(RandomKey(seed: 1)) { Sequential { Linear(3, 2) } }
      let optimizer = Optimizer(Adam(), for: net)
      let x = try Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3]).evaluated()
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
      let x = try Tensor.ones([2, 300]).evaluated()
      try optimizer.minimize { net(x).squared().mean() }
      let used = device.memory.used
      // Three arrays for the parameters, one of each kind, and next to nothing else.
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
