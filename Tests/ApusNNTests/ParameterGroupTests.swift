import Apus
import ApusTestSupport
import Testing

/// Learning rates, weight decays and constraints of parameter groups; penalties; gradients accumulated over batches;
/// averages of weights.
@Suite struct ParameterGroupTests {
  let device = ComputeDevice(backend: ReferenceDevice())

  private func net() -> Sequential {
    withRandomKey(RandomKey(seed: 1)) {
      Sequential {
        Linear(3, 4)
        Tanh()
        Linear(4, 2)
      }
    }
  }

  private func batch(_ count: Int = 8) throws -> Tensor {
    let numbers = (0..<3 * count).map { (index: Int) -> Float in Float((index * 7) % 11) / 5 - 1 }
    return try eval(Tensor(numbers, shape: [count, 3]))
  }

  // MARK: - Groups

  /// Each parameter is updated at the learning rate of its group. If a group has a separate rate, the schedule scales
  /// it too.
  @Test func groupsHaveTheirRatesAndDecays() throws {
    try withDevice(device) { () throws in
      let net = net()
      let p = net.parameters
      let optimizer = Optimizer(
        SGD(learningRate: 0.5, weightDecay: 0.25), for: net,
        groups: [
          ParameterGroup([p[0]], rateFactor: 0.5), ParameterGroup([p[1]], learningRate: 0.25, weightDecay: 0),
          ParameterGroup([p[2]], rateFactor: 0),
        ])
      optimizer.learningRate = 0.1  // One fifth of the rule's rate, as with a schedule.
      let before = try p.map { try $0.value.array() }
      let x = try batch()
      let (_, gradients) = valueAndGradients(of: p) { net(x).squared().sum() }
      let slopes = try p.map { try gradients[$0]!.array() }
      try optimizer.update(gradients)
      let (rates, decays) = ([0.05, 0.05, 0, 0.1], [0.25, 0, 0.25, 0.25])
      for index in 0..<4 {
        let after = try p[index].value.array()
        for place in after.indices {
          let slope = Double(slopes[index][place]) + decays[index] * Double(before[index][place])
          #expect(abs(Double(after[place]) - (Double(before[index][place]) - rates[index] * slope)) < 1e-5)
        }
      }
    }
  }

  /// A run that is resumed from the optimizer's state ends with the bits of an uninterrupted run.
  @Test func groupsAreSavedAndRestored() throws {
    try withDevice(device) { () throws in
      let x = try batch()
      func optimizer(_ net: Sequential) -> Optimizer {
        Optimizer(
          Adam(learningRate: 0.05, weightDecay: 0.1, isDecoupled: true), for: net,
          groups: [.withoutDecay(of: net), ParameterGroup([net.parameters[0]], rateFactor: 0.1)])
      }
      func run(_ optimizer: Optimizer, _ net: Sequential, _ count: Int) throws {
        for _ in 0..<count { try optimizer.minimize { (net(x) - 1).squared().mean() } }
      }
      let (whole, first, second) = (net(), net(), net())
      try run(optimizer(whole), whole, 12)
      let stopped = optimizer(first)
      try run(stopped, first, 5)
      let kept = Dictionary(uniqueKeysWithValues: stopped.state.map { ($0.key, $0.value) })
      #expect(kept["0.bias.exp_avg"] != nil && kept.count == 8)
      for (entry, value) in zip(second.state.entries, first.values.tensors) { entry.assign(value) }
      let resumed = optimizer(second)
      resumed.restore(step: stopped.step) { kept[$0]! }
      try run(resumed, second, 7)
      for (one, other) in zip(whole.parameters, second.parameters) {
        #expect(try one.value.array() == other.value.array())
      }
    }
  }

  @Test func parametersInTwoGroupsStop() async {
    await #expect(processExitsWith: .failure) {
      withDevice(ComputeDevice(backend: ReferenceDevice())) {
        let net = Sequential { Linear(2, 2) }
        let groups = [ParameterGroup(net.parameters), ParameterGroup([net.parameters[0]])]
        _ = Optimizer(SGD(learningRate: 1), for: net, groups: groups)
      }
    }
  }

  // MARK: - Constraints

  /// Every constraint holds after each step, and is part of the step's plan.
  @Test func constraintsHoldAfterEveryStep() throws {
    let constraints: [(any Constraint, (_ rows: [[Double]]) -> Bool)] = [
      (MaxNorm(0.5), { $0.allSatisfy { norm($0) < 0.5 + 1e-5 } && $0.contains { norm($0) > 0.49 } }),
      (UnitNorm(), { $0.allSatisfy { abs(norm($0) - 1) < 1e-5 } }),
      (NonNegative(), { $0.joined().allSatisfy { $0 >= 0 } && $0.joined().contains(0) }),
      (ClippedWeights(lower: -0.1, upper: 0.05), { $0.joined().allSatisfy { $0 >= -0.1001 && $0 <= 0.0501 } }),
    ]
    for (constraint, holds) in constraints {
      let device = ComputeDevice(backend: ReferenceDevice())
      try withDevice(device) { () throws in
        let (net, x) = (net(), try batch())
        let group = ParameterGroup([net.parameters[0]], constraint: constraint)
        let optimizer = Optimizer(Adam(learningRate: 0.1), for: net, groups: [group])
        for _ in 0..<5 {
          try optimizer.minimize { (net(x) * 3 - 2).squared().mean() }
          let values = try net.parameters[0].value.array().map { Double($0) }
          #expect(holds((0..<4).map { Array(values[3 * $0..<3 * $0 + 3]) }), "\(constraint): \(values)")
        }
        #expect(device.preparedPlanCount == 2)
      }
    }
    func norm(_ row: [Double]) -> Double { row.reduce(0) { $0 + $1 * $1 }.squareRoot() }
  }

  @Test func rowsOfZerosStayZero() throws {
    try withDevice(device) { () throws in
      let rows = Tensor([0, 0, 3, 4] as [Float], shape: [2, 2])
      #expect(try UnitNorm()(rows) { .number($0) }.array() == [0, 0, 0.6, 0.8])
      #expect(try MaxNorm(10)(rows) { .number($0) }.array() == [0, 0, 3, 4])
      #expect(try MaxNorm(2.5)(rows) { .number($0) }.array() == [0, 0, 1.5, 2])
    }
  }

  // MARK: - Penalties

  @Test func penaltiesAreTheirFormulas() throws {
    try withDevice(device) { () throws in
      let net = Sequential { Linear(2, 2) }
      net.parameters[0].value = Tensor([3, -4, 0, 12] as [Float], shape: [2, 2])
      let expected: [(Penalty.Kind, Double, [Float])] = [
        (.l1(0.5), 9.5, [0.5, -0.5, 0, 0.5]), (.squaredL2(0.5), 84.5, [3, -4, 0, 12]),
        (.l2(13), 169, [3, -4, 0, 12]), (.elasticNet(l1: 2, squaredL2: 0.5), 122.5, [5, -6, 0, 14]),
      ]
      for (kind, value, slope) in expected {
        let penalty = Penalty(kind, on: net)
        let (found, gradients) = valueAndGradients(of: net.parameters) { penalty() }
        #expect(try found.scalar() == value)
        #expect(try gradients[net.parameters[0]]!.array() == slope)
        // Biases are exempt.
        #expect(gradients[net.parameters[1]] == nil)
      }
      let everything = Penalty(.l1(1), on: net) { _, _ in false }
      #expect(everything.parameters.count == 2)
      // The norm of weights that are all zero has the gradient 0.
      net.parameters[0].value = .zeros([2, 2])
      let (zero, gradients) = valueAndGradients(of: net.parameters) { Penalty(.l2(1), on: net)() }
      #expect(try zero.scalar() == 0)
      #expect(try gradients[net.parameters[0]]!.array() == [0, 0, 0, 0])
    }
  }

  /// A NaN in the weights makes the penalty and its gradient NaN.
  @Test func penaltiesKeepNaN() throws {
    try withDevice(device) { () throws in
      let weights = Parameter(Tensor([3, .nan, 0] as [Float]))
      for kind in [.l1(0.5), .squaredL2(0.5), .l2(0.5), .elasticNet(l1: 2, squaredL2: 0.5)] as [Penalty.Kind] {
        #expect(try Penalty(kind, on: [weights])().scalar().isNaN, "\(kind)")
      }
      let (_, gradients) = valueAndGradients(of: [weights]) { Penalty(.l2(0.5), on: [weights])() }
      #expect(try (gradients[weights]!.array() as [Float]).allSatisfy(\.isNaN))
    }
  }

  /// For plain gradient descent, a weight decay of 2λ equals a penalty of λ times the squared norm.
  @Test func decayIsThePenaltyOfGradientDescent() throws {
    try withDevice(device) { () throws in
      let (one, other, x) = (net(), net(), try batch())
      let decaying = Optimizer(SGD(learningRate: 0.1, weightDecay: 0.02), for: one, groups: [.withoutDecay(of: one)])
      let penalized = Optimizer(SGD(learningRate: 0.1), for: other)
      let penalty = Penalty(.squaredL2(0.01), on: other)
      for _ in 0..<10 {
        try decaying.minimize { one(x).squared().mean() }
        try penalized.minimize { other(x).squared().mean() + penalty() }
      }
      for (a, b) in zip(one.parameters, other.parameters) {
        #expect(try a.value.isClose(to: b.value, relative: 1e-4, absolute: 1e-6).all().scalar() == 1)
      }
    }
  }

  // MARK: - Accumulation

  /// A step that accumulates several small batches equals a step of one large batch.
  @Test func partsOfABatchAreTheWhole() throws {
    for (accumulation, isMean) in [(Optimizer.Accumulation.mean, true), (.sum, false)] {
      let device = ComputeDevice(backend: ReferenceDevice())
      try withDevice(device) { () throws in
        let (whole, parts, x) = (net(), net(), try batch(12))
        func loss(_ net: Sequential, _ x: Tensor) -> Tensor {
          let losses = (net(x) - 1).squared()
          return isMean ? losses.mean() : losses.sum()
        }
        let (one, other) = (
          Optimizer(Adam(learningRate: 0.01), for: whole), Optimizer(Adam(learningRate: 0.01), for: parts)
        )
        var count = 0
        for step in 0..<6 {
          let expected = try one.minimize { loss(whole, x) }.scalar()
          let found = try other.minimize(over: 4, accumulation) {
            loss(parts, x.slice(axis: 0, from: 3 * $0, count: 3))
          }
          #expect(abs(try found.scalar() - expected) < 1e-5 * expected)
          if step == 2 { count = device.preparedPlanCount }
        }
        #expect(device.preparedPlanCount == count)
        for (a, b) in zip(whole.parameters, parts.parameters) {
          #expect(try a.value.isClose(to: b.value, relative: 1e-4, absolute: 1e-6).all().scalar() == 1)
        }
      }
    }
  }

  // MARK: - Averages

  @Test func averagesAreTheirFormulas() throws {
    try withDevice(device) { () throws in
      let net = Sequential { Linear(1, 1, initializer: .ones) }
      let weight = net.parameters[0]
      let kinds: [ModelAverage.Kind] = [
        .exponential(decay: 0.9), .exponential(decay: 0.9, correctsBias: true), .mean,
      ]
      let averages = try kinds.map { try ModelAverage(of: net, $0) }
      var (plain, raw, sum) = (1.0, 0.0, 0.0)
      for step in 1...5 {
        let value = Double(step * step)
        weight.value = Tensor([Float(value)], shape: [1, 1])
        for average in averages { try average.update() }
        plain = 0.9 * plain + 0.1 * value
        raw = 0.9 * raw + 0.1 * value
        sum += value
        var power = 1.0
        for _ in 0..<step { power *= 0.9 }
        let expected = [plain, raw / (1 - power), sum / Double(step)]
        for (average, expected) in zip(averages, expected) {
          let found = try average.values["0.weight"]!.scalar()
          #expect(abs(found - expected) < 1e-5 * expected)
          let bias = try net.parameters[1].value.scalar()
          let output = try withValues(average.values) { try net(.ones([1, 1])).scalar() }
          #expect(abs(output - found - bias) < 1e-5)
        }
      }
      // The model itself is unchanged.
      #expect(try weight.value.scalar() == 25)
    }
  }

  /// Averages do not disturb the updates: the updates still overwrite old values and reuse their plan.
  @Test func averagesLeaveThePlansAlone() throws {
    try withDevice(device) { () throws in
      let (net, x) = (net(), try batch())
      let optimizer = Optimizer(Adam(), for: net)
      let average = try ModelAverage(of: net, .exponential(decay: 0.99))
      var used: Set<Int> = []
      for step in 0..<50 {
        try optimizer.minimize { net(x).squared().mean() }
        try average.update()
        if step > 1 { used.insert(device.memory.used) }
      }
      // Plans for initial values, their averages, updates, and averages of updated values.
      #expect(device.preparedPlanCount <= 4)
      #expect(used.count == 1)
    }
  }
}
