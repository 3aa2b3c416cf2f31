import Apus
import ApusTestSupport
import Testing

@testable import ApusNN

/// Training in mixed precision: scaled losses, skipped updates, and step counts.
@Suite struct MixedPrecisionTests {
  private let device = ComputeDevice(backend: ReferenceDevice())

  private static func network() -> Sequential {
    withRandomKey(RandomKey(seed: 1)) {
      Sequential {
        Linear(6, 8)
        ReLU()
        Linear(8, 3)
      }
    }
  }

  private static func losses(_ precision: Precision, steps: Int) throws -> [Double] {
    let net = network()
    let optimizer = Optimizer(Adam(learningRate: 0.01), for: net, precision: precision)
    var key = RandomKey(seed: 2)
    let x = try eval(Tensor.normal([16, 6], key: &key))
    let classes = Tensor((0..<16).map { Int32($0 % 3) })
    return try (0..<steps).map { _ in try optimizer.minimize { crossEntropy(net(x), classes) }.scalar() }
  }

  @Test(arguments: TestDevice.conformance) func lossesAgreeWithFloat32(target: TestDevice) throws {
    try withDevice(target.device) { () throws in
      let expected = try withDevice(device) { try Self.losses(.float32, steps: 5) }
      let types: [DType] = target.extent == .everything ? [.float16, .bfloat16] : [.float16]
      for type in types {
        let found = try Self.losses(.mixed(type), steps: 5)
        let tolerance = type == .float16 ? 2e-3 : 1.6e-2
        for (one, other) in zip(found, expected) { #expect(abs(one - other) < tolerance * other, "\(type): \(found)") }
        #expect(try found == Self.losses(.mixed(type), steps: 5), "equal seeds give equal bits")
      }
    }
  }

  @Test func parametersAndStateStayFloat32() throws {
    try withDevice(device) { () throws -> Void in
      let net = Self.network()
      let optimizer = Optimizer(Adam(), for: net, precision: .mixed)
      let (loss, gradients) = try optimizer.valueAndGradients {
        let y = net(.ones([2, 6]))
        #expect(y.dtype == .float16)
        return y.squared().mean()
      }
      #expect(loss.dtype == .float32 && gradients.tensors.allSatisfy { $0?.dtype == .float32 })
      #expect(gradients.isFinite?.dtype == .bool)
      try optimizer.update(gradients)
      #expect(net.parameters.allSatisfy { $0.value.dtype == .float32 })
      #expect(optimizer.state.filter { !$0.key.hasPrefix("loss_scaler") }.allSatisfy { $0.value.dtype == .float32 })
      #expect(Optimizer(Adam(), for: net, precision: .mixed(.bfloat16)).lossScaler == nil)
    }
  }

  /// A model with one weight. The gradient of the scaled loss is `scale · 2⁻⁴`, computed by a product in `float16`.
  private struct Overflow {
    let net = Linear(weight: Parameter(Tensor([1] as [Float], shape: [1, 1])), bias: nil)
    let optimizer: Optimizer

    init(_ rule: any UpdateRule, _ settings: LossScaler.Settings) {
      optimizer = Optimizer(rule, for: net, precision: .mixed, lossScaling: settings)
    }

    func step() throws { try optimizer.minimize { net(Tensor([0.0625] as [Float], shape: [1, 1])).sum() } }
    var weight: Float { get throws { try net.weight.value.array()[0] } }
    var scale: Double { get throws { try optimizer.lossScaler!.scale.scalar() } }
    var skipped: Double { get throws { try optimizer.lossScaler!.skippedSteps.scalar() } }
  }

  @Test func overflowsHalveTheScaleAndChangeNothingElse() throws {
    try withDevice(device) { () throws -> Void in
      // The gradient of the product's result is the scale itself. From 2¹⁶ = 65,536 on, it is too large for float16.
      let run = Overflow(
        Adam(learningRate: 0.25), LossScaler.Settings(initialScale: 0x1p18, growthInterval: 3))
      for expected in [0x1p17, 0x1p16, 0x1p15] {
        try run.step()
        #expect(try run.scale == expected && run.weight == 1)
        for (key, value) in run.optimizer.state where key.contains("exp_avg") {
          #expect(try value.array() == [0], "\(key)")
        }
      }
      #expect(try run.skipped == 3)
      // The first update that is not skipped is Adam's first update: its size is the learning rate, whatever the
      // gradient.
      try run.step()
      #expect(try abs(run.weight - 0.75) < 1e-6 && run.scale == 0x1p15 && run.skipped == 3)
      try run.step()
      try run.step()
      // After three good steps the scale doubles. The next step overflows, so the scale halves and the count restarts.
      #expect(try run.scale == 0x1p16)
      try run.step()
      #expect(try run.scale == 0x1p15 && run.skipped == 4)
      try run.step()
      try run.step()
      #expect(try run.scale == 0x1p15)
      try run.step()
      #expect(try run.scale == 0x1p16)
    }
  }

  /// However many updates are skipped, the scale keeps a finite reciprocal, and the next good step is applied.
  @Test func theScaleHasAFloor() throws {
    try withDevice(device) { () throws -> Void in
      let run = Overflow(Adam(learningRate: 0.25), LossScaler.Settings(initialScale: 1, backoffFactor: 0.25))
      for _ in 0..<12 {
        try run.optimizer.minimize { run.net(Tensor([0.0625] as [Float], shape: [1, 1])).sum() * .infinity }
      }
      #expect(try run.scale == LossScaler.floor && run.skipped == 12 && run.weight == 1)
      try run.step()
      #expect(try abs(run.weight - 0.75) < 1e-3 && run.skipped == 12)
    }
  }

  /// `x²` with a custom gradient that divides by a number that underflows in `float16`.
  private static func brokenSquare(_ x: Tensor) -> Tensor {
    withGradient([x]) { gradient, inputs, _ in
      let inverse = inputs[0].cast(to: .float16) * 0x1p-15
      return [gradient * 2 / (inverse * 0x1p-15)]
    } function: {
      $0[0].squared()
    }
  }

  /// If the gradients are not finite at any scale, the run ends after 20 skipped updates with an error that names the
  /// operation.
  @Test(arguments: TestDevice.conformance) func twentySkippedUpdatesAreAnError(target: TestDevice) throws {
    try withDevice(try target.reopened()) { () throws -> Void in
      let net = Self.network()
      let optimizer = Optimizer(SGD(learningRate: 0.1), for: net, precision: .mixed)
      let x = try eval(Tensor.ones([4, 6]))
      let before = try net.parameters.map { try $0.value.array() }
      func step(broken: Bool) throws {
        try optimizer.minimize {
          let y = net(x).cast(to: .float32)
          return (broken ? Self.brokenSquare(y) : y.squared()).mean()
        }
      }
      // A step with finite gradients restarts the count of skips in a row. `skippedSteps` is the total and continues.
      for _ in 0..<15 { try step(broken: true) }
      #expect(try optimizer.lossScaler!.skippedSteps.scalar() == 15)
      #expect(try net.parameters.map { try $0.value.array() } == before)
      try step(broken: false)
      let after = try net.parameters.map { try $0.value.array() }
      #expect(after != before)
      for _ in 0..<20 { try step(broken: true) }
      do {
        try step(broken: true)
        Issue.record("\(target.name): the run goes on")
      } catch OptimizerError.skippedUpdates(20, let anomaly) {
        #expect(anomaly.operation == "divide" && anomaly.isGradient && anomaly.device != "", "\(anomaly)")
        let text = OptimizerError.skippedUpdates(count: 20, anomaly).description
        #expect(text.hasPrefix("20 updates in a row were skipped") && text.contains("divide gives"), "\(text)")
      }
      #expect(try optimizer.lossScaler!.skippedSteps.scalar() == 35)
      #expect(try net.parameters.map { try $0.value.array() } == after)
    }
  }

  /// `valueAndGradients` returns the gradients of the unscaled loss.
  @Test func gradientsBelongToTheUnscaledLoss() throws {
    try withDevice(device) { () throws -> Void in
      let run = Overflow(SGD(learningRate: 1), LossScaler.Settings(initialScale: 1024))
      let (_, gradients) = try run.optimizer.valueAndGradients {
        run.net(Tensor([0.0625] as [Float], shape: [1, 1])).sum()
      }
      #expect(try gradients.tensors[0]!.array() == [0.0625] && gradients.norm.scalar() == 0.0625)
      // Clipping applies to the unscaled gradients, and keeps `isFinite`, the flag that an overflow clears.
      let clipped = gradients.clipped(toValue: 0.03125).clipped(toNorm: 1)
      #expect(try clipped.tensors[0]!.array() == [0.03125] && clipped.isFinite!.scalar() == 1)
      try run.optimizer.update(clipped)
      #expect(try run.weight == 0.96875)
      let large = Overflow(SGD(learningRate: 1), LossScaler.Settings(initialScale: 0x1p17))
      try large.optimizer.update(
        large.optimizer.valueAndGradients { large.net(.ones([1, 1])).sum() }.gradients.clipped(toNorm: 0.5))
      #expect(try large.weight == 1 && large.scale == 0x1p16)
    }
  }

  /// If the gradients of one accumulated batch overflow, the whole update is skipped.
  @Test func anOverflowSkipsAllAccumulatedBatches() throws {
    try withDevice(device) { () throws -> Void in
      let run = Overflow(SGD(learningRate: 1), LossScaler.Settings(initialScale: 1024))
      func step(_ factors: [Float]) throws {
        try run.optimizer.minimize(over: factors.count) { run.net(Tensor([factors[$0]], shape: [1, 1])).sum() }
      }
      try step([0.5, 0.25])
      #expect(try run.weight == 0.625 && run.skipped == 0)
      try step([0.5, 128])
      #expect(try run.weight == 0.625 && run.skipped == 1 && run.scale == 512)
    }
  }

  /// Update rules compute factors, such as Adam's bias correction, from the step count. The weights are the same if the
  /// device computes these factors, from a tensor with the number of skipped steps, instead of the host.
  @Test(arguments: optimizerNames) func rulesCountTheSteps(name: String) throws {
    try withDevice(device) { () throws -> Void in
      let rules: [any UpdateRule] =
        [try optimizerRule(name, learningRate: 0.01)]
        + (name == "sgd" ? [SGD(learningRate: 0.01, momentum: 0.9, dampening: 0.5)] : [])
        + (name == "adagrad" ? [AdaGrad(learningRate: 0.01, rateDecay: 0.1)] : [])
      for rule in rules {
        func run(skipping skipped: Int?) throws -> [Float] {
          var value = Tensor([1, -2, 3] as [Float])
          var state = rule.stateNames.map { name in
            Tensor(repeating: rule.initialValue(of: name, rate: 0.01), shape: [3])
          }
          for step in 1...20 {
            let count =
              skipped.map { StepCount(step + $0, skipped: Tensor([Int32($0)]).reshaped(to: [])) }
              ?? StepCount(step, skipped: nil)
            let gradient = value * 2 + Double(step)
            value = rule.update(step: count, rate: 0.01) { .number($0) }(value, gradient, &state)
          }
          return try value.array()
        }
        let expected = try run(skipping: nil)
        // NAdam's momentum schedule also counts skipped steps, so the run of NAdam skips none.
        for (one, other) in zip(try run(skipping: name == "nadam" ? 0 : 7), expected) {
          #expect(abs(one - other) <= 2e-6 * max(abs(other), 1), "\(one) \(other)")
        }
      }
    }
  }

  @Test func aThousandStepsPrepareTwoPlans() throws {
    try withDevice(device) { () throws in
      let net = Self.network()
      let optimizer = Optimizer(
        Adam(), for: net, precision: .mixed, lossScaling: LossScaler.Settings(growthInterval: 10))
      let x = Tensor((0..<12).map { Float($0) / 12 }, shape: [2, 6])
      var used: Set<Int> = []
      for step in 0..<1000 {
        try optimizer.update(optimizer.valueAndGradients { net(x).squared().mean() }.gradients.clipped(toNorm: 1))
        if step > 1 { used.insert(device.memory.used) }
      }
      #expect(device.preparedPlanCount == 2)
      #expect(used.count == 1, "memory grows from step to step: \(used.sorted())")
      // The scale grew until the gradients overflowed, many times.
      #expect(try optimizer.lossScaler!.skippedSteps.scalar() > 10)
    }
  }

  @Test func theScaleIsPartOfTheState() throws {
    try withDevice(device) { () throws -> Void in
      let settings = LossScaler.Settings(initialScale: 0x1p18, growthInterval: 3)
      let (whole, first) = (Overflow(Adam(learningRate: 0.1), settings), Overflow(Adam(learningRate: 0.1), settings))
      for _ in 0..<12 { try whole.step() }
      for _ in 0..<5 { try first.step() }
      let kept = first.optimizer.state
      #expect(
        kept.suffix(3).map(\.key) == ["loss_scaler.scale", "loss_scaler.good_steps", "loss_scaler.skipped_steps"])
      let second = Overflow(Adam(learningRate: 0.1), settings)
      second.net.weight.value = first.net.weight.value
      second.optimizer.restore(step: first.optimizer.step) { key in kept.first { $0.key == key }!.value }
      for _ in 0..<7 { try second.step() }
      #expect(try second.weight == whole.weight && second.scale == whole.scale && second.skipped == whole.skipped)
    }
  }

  /// An overflow that loss scaling handles is no anomaly. An overflow in the loss itself is an anomaly.
  @Test func onlyAnomaliesThatReachTheWeightsCount() throws {
    try withDevice(device) { () throws -> Void in
      let run = Overflow(SGD(learningRate: 1), LossScaler.Settings(initialScale: 0x1p18))
      try detectingAnomalies { try run.step() }
      #expect(try run.skipped == 1)
      do {
        try detectingAnomalies {
          try run.optimizer.minimize { run.net(Tensor([1e5] as [Float], shape: [1, 1])).sum() }
        }
        Issue.record("nothing was found")
      } catch DeviceError.notFinite(let anomaly) {
        #expect(anomaly.operation == "cast" && anomaly.dtype == .float16 && !anomaly.isGradient, "\(anomaly)")
      }
    }
  }
}
