import Apus
import ApusTestSupport
import Testing

private struct Cell: Module {
  let weight = Parameter(.zeros([2]))
  let runningAverage = Statistic(.zeros([2]))
}

private struct Net: Module {
  let firstBlock = Sequential {
    Linear(2, 3)
    ReLU()
    Function { x in x * 2 }
    BatchNorm(3)
  }
  let cells = [Cell(), Cell()]
  let head: Linear? = Linear(3, 2)
  let nothing: Linear? = nil
  let byName = ["b": Linear(1, 1, hasBias: false), "a": Linear(1, 1, hasBias: false)]
  let scale = 3.0
  let tied: Parameter

  init() { tied = head!.weight }
}

private final class Owner: Module {
  let weight = Parameter(.zeros([1]))
  nonisolated(unsafe) var other: Owner?
}

@Suite struct ModuleTests {
  let device = ComputeDevice(backend: ReferenceDevice())

  @Test func keysEqualPyTorch() {
    withDevice(device) {
      let state = Net().state
      #expect(
        state.entries.map(\.key) == [
          "first_block.0.weight", "first_block.0.bias", "first_block.3.weight", "first_block.3.bias",
          "first_block.3.running_mean", "first_block.3.running_var", "first_block.3.num_batches_tracked",
          "cells.0.weight", "cells.0.running_average", "cells.1.weight", "cells.1.running_average",
          "head.weight", "head.bias", "by_name.a.weight", "by_name.b.weight",
        ])
      #expect(state.aliases == ["tied": "head.weight"])
      #expect(state.parameters.count == 10)
    }
  }

  /// The contents of a `Sequential` builder, and the indices that they get.
  @Test(arguments: [true, false]) func chainsWithConditionsAndLoops(_ isDeep: Bool) throws {
    try withDevice(device) { () throws in
      let model = Sequential {
        if isDeep { Linear(2, 2) }
        for width in [1, 2] {
          Linear(2, width, hasBias: false)
          Function { x in Tensor.concatenated([x, x], axis: 1).slice(axis: 1, from: 0, count: 2) }
        }
        if isDeep {
          ReLU()
        } else {
          Tanh()
          Tanh()
        }
        [Linear(2, 3), ReLU()]
      }
      let types = model.layers.map { "\(type(of: $0))" }
      let middle = ["Linear", "Function", "Linear", "Function"]
      #expect(types == (isDeep ? ["Linear"] + middle + ["ReLU"] : middle + ["Tanh", "Tanh"]) + ["Linear", "ReLU"])
      #expect(model.state.entries.first?.key == "0.weight")
      #expect(model.state.entries.last?.key == "6.bias")
      #expect(model(Tensor.ones([4, 2])).shape == [4, 3])
    }
  }

  /// Two modules that refer to each other: each parameter is found once.
  @Test func cyclesOfModulesAreVisitedOnce() {
    withDevice(device) {
      let (one, two) = (Owner(), Owner())
      one.other = two
      two.other = one
      #expect(one.state.entries.map(\.key) == ["weight", "other.weight"])
    }
  }

  /// `withValues` substitutes values inside its closure; `store` assigns them.
  @Test func withValuesSubstitutesValues() throws {
    try withDevice(device) { () throws in
      let net = Sequential { Linear(2, 1, initializer: .ones, biasInitializer: .zeros) }
      let x = Tensor([1, 2] as [Float], shape: [1, 2])
      let doubled = net.values.mapped { _, value in value * 2 }
      #expect(try withValues(doubled) { try net(x).array() } == [6])
      #expect(try net(x).array() == [3])
      // The gradient is with respect to the substituted values, not to the parameters.
      let gradient = withValues(doubled) { gradients(of: net(x), withRespectTo: [doubled["0.weight"]!]) }
      #expect(try gradient[0].array() == [1, 2])
      doubled.store()
      #expect(try net(x).array() == [6])
    }
  }

  /// Statistics that are assigned inside `withValues` have their old values after it.
  @Test func statisticsInsideWithValuesAreRestored() throws {
    try withDevice(device) { () throws in
      let norm = BatchNorm(1)
      let x = Tensor([1, 3] as [Float], shape: [2, 1])
      try withMode(.training) {
        try withValues(norm.values) {
          _ = try norm(x).array()
          #expect(try norm.runningMean!.value.array() == [0.2])
        }
        #expect(try norm.runningMean!.value.array() == [0])
      }
    }
  }

  /// The plan of the update also evaluates the loss and the auxiliary results.
  @Test func auxiliaryResultsComeWithTheLoss() throws {
    try withDevice(device) { () throws in
      let net = Sequential { Linear(2, 2) }
      let optimizer = Optimizer(SGD(learningRate: 0.1), for: net)
      try optimizer.prepare()
      let plans = device.preparedPlanCount
      let (loss, gradients, outputs) = valueAndGradients(of: optimizer.parameters) {
        let outputs = net(.ones([3, 2]))
        return (outputs.squared().mean(), outputs)
      }
      try optimizer.update(gradients)
      #expect(loss.isEvaluated && outputs.isEvaluated)
      #expect(device.preparedPlanCount == plans + 1)
    }
  }

  /// A training step in float64 agrees with the float32 step of the same model, except for rounding.
  @Test func modelsOfOtherTypes() throws {
    try withDevice(device) { () throws in
      let model = Sequential {
        Conv2d(2, 3, kernel: 3, padding: 1)
        BatchNorm(3)
        GELU()
        Function { $0.flattened(from: 1) }
        LayerNorm(12)
        Linear(12, 2)
      }
      let shared = Owner()
      model.parameters[0].isTrainable = false
      let numbers = (0..<32).map { (index: Int) -> Float in Float(index * 37 % 17) / 8 - 1 }
      let x = Tensor(numbers, shape: [4, 2, 2, 2])
      func step() throws -> (loss: Double, gradients: [[Double]], running: [Double]) {
        let optimizer = Optimizer(Adam(learningRate: 0.01), for: model)
        let (loss, gradients) = try withMode(.training) {
          try optimizer.valueAndGradients { model(x.cast(to: model.parameters[0].dtype)).squared().mean() }
        }
        let arrays = try gradients.tensors.compactMap { try $0?.array(of: Double.self) }
        let value = try loss.scalar()
        try optimizer.update(gradients)
        let running = model.state.entries.first { $0.key == "1.running_var" }!.value
        return (value, arrays, try running.array(of: Double.self))
      }
      let start = model.values
      let single = try step()
      start.store()
      model.convert(to: .float64)
      #expect(model.state.entries.filter { $0.dtype == .float64 }.count == 10)
      #expect(model.state.entries.filter { $0.dtype != .float64 }.map(\.key) == ["1.num_batches_tracked"])
      #expect(model.parameters.map(\.isTrainable) == [false] + [Bool](repeating: true, count: 7))
      let double = try step()
      #expect(single.loss != double.loss && abs(single.loss - double.loss) < 1e-5 * double.loss)
      for (one, other) in zip(single.gradients.joined(), double.gradients.joined()) { #expect(abs(one - other) < 1e-5) }
      for (one, other) in zip(single.running, double.running) { #expect(one != other && abs(one - other) < 1e-6) }
      model.convert(to: .float32)
      #expect(model.parameters.allSatisfy { $0.dtype == .float32 && $0.value.dtype == .float32 })
      shared.convert(to: .bfloat16)
      #expect(shared.weight.dtype == .bfloat16)
    }
  }

  /// A model that is converted to a 16-bit type gives nearly the outputs of `float32` in inference.
  @Test(arguments: [DType.float16, .bfloat16]) func narrowModelsInfer(_ dtype: DType) throws {
    try withDevice(device) { () throws in
      let model = Sequential {
        Conv2d(2, 3, kernel: 3, padding: 1)
        BatchNorm(3)
        ReLU()
        Function { $0.flattened(from: 1) }
        LayerNorm(12)
        Linear(12, 2)
      }
      let numbers = (0..<32).map { (index: Int) -> Float in Float(index * 37 % 17) / 8 - 1 }
      let x = Tensor(numbers, shape: [4, 2, 2, 2])
      let expected = try model(x).array(of: Double.self)
      model.convert(to: dtype)
      let y = model(x.cast(to: dtype))
      #expect(y.dtype == dtype)
      let largest = expected.map(abs).max()!
      for (one, other) in zip(try y.array(of: Double.self), expected) { #expect(abs(one - other) < 0.03 * largest) }
    }
  }

  /// An update stops the process if the element type of a parameter has changed since the optimizer was created.
  @Test func optimizersKeepTheirType() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let device = ComputeDevice(backend: ReferenceDevice())
      try withDevice(device) { () throws in
        let model = Linear(2, 1)
        let optimizer = Optimizer(Adam(learningRate: 0.1), for: model)
        model.convert(to: .float64)
        try optimizer.minimize { model(.ones([1, 2], dtype: .float64)).sum() }
      }
    }
    let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(text.contains("weight changed from float32 to float64"), "\(text)")
  }

  /// If no mode is set, dropout inside `valueAndGradients` stops the process.
  @Test func dropoutInAGradientNeedsAMode() async {
    await #expect(processExitsWith: .failure) {
      let device = ComputeDevice(backend: ReferenceDevice())
      withDevice(device) {
        let net = Sequential { Dropout(0.5) }
        _ = valueAndGradients(of: []) { net(.ones([4])).sum() }
      }
    }
  }

  /// In training, the slopes of `RReLU` are uniformly distributed between the bounds.
  @Test func randomSlopesStayInTheirRange() throws {
    try withDevice(device) { () throws in
      let x = Tensor.ones([50, 50]) * -1
      let slopes = try withMode(.training) {
        try withRandomKey(RandomKey(seed: 1)) { try RReLU(lower: 0.25, upper: 0.5)(x).array().map { -$0 } }
      }
      let sum: Float = slopes.reduce(0, +)
      #expect(slopes.allSatisfy { $0 >= 0.25 && $0 < 0.5 } && Set(slopes).count > 2000)
      #expect(abs(sum / 2500 - 0.375) < 0.01)
      #expect(try withMode(.training) { try RReLU()(-x).array() } == (-x).array())
      let integers = Tensor(repeating: -8, shape: [4], dtype: .int8)
      let results = try withMode(.training) { try RReLU(lower: 0.25, upper: 0.5)(integers).array() }
      #expect(results.allSatisfy { $0 > -4.001 && $0 <= -2 })
    }
  }

  /// Checkpointing a function changes no gradient of the parameters that the function uses. Dropout drops the same
  /// elements when the function runs again for the gradient.
  @Test(arguments: TestDevice.all.filter { !$0.name.contains("opencl") })
  func checkpointedLayersLearn(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let net = Sequential {
        Linear(3, 4)
        BatchNorm(4)
        Dropout(0.5)
        Linear(4, 2)
      }
      let x = Tensor((0..<24).map { Float($0) * 0.3 - 2 }, shape: [8, 3])
      func found(_ isCheckpointed: Bool) throws -> [[Float]] {
        let (value, gradients) = withMode(.training) {
          withRandomKey(RandomKey(seed: 4)) {
            valueAndGradients(of: net.parameters) {
              (isCheckpointed ? checkpointed([x]) { net($0[0]).tanh() } : net(x).tanh()).squared().sum()
            }
          }
        }
        return try [value.array()] + net.parameters.map { try gradients[$0]!.array() }
      }
      let (plain, again) = (try found(false), try found(true))
      #expect(plain == again)
      #expect(again.dropFirst().allSatisfy { $0.contains { $0 != 0 } })
    }
  }

  @Test func checkpointedStatisticsAreAssignedOnce() throws {
    try withDevice(device) { () throws in
      let norm = BatchNorm(2)
      let x = Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
      let result = withMode(.training) {
        valueAndGradients(of: norm.parameters) { checkpointed([x]) { norm($0[0]) }.squared().sum() }
      }
      try eval(result.value)
      #expect(try norm.numBatchesTracked!.value.scalar() == 1)
    }
  }
}

/// Printing, copying, freezing and modes of modules.
@Suite struct ModuleUseTests {
  let device = ComputeDevice(backend: ReferenceDevice())

  @Test func descriptions() throws {
    try withDevice(device) { () throws in
      let model = Sequential {
        Conv2d(1, 2, kernel: 3, padding: 1)
        BatchNorm(2)
        Dropout(0.25)
        Sequential {
          ReLU()
          ReLU()
        }
      }
      model.freeze { $0.hasPrefix("1.") }
      let text = "\(model)"
      #expect(
        text.hasPrefix(
          """
          Sequential(
            (0): Conv2d(weight: [2, 1, 3, 3], bias: [2], groups: 1, stride: [1, 1], padding: [1, 1], dilation: [1, 1]
          """), "\(text)")
      #expect(text.contains("  (1): BatchNorm(weight: [2] frozen, bias: [2] frozen, epsilon: 1e-05, momentum: 0.1"))
      #expect(text.contains("  (2): Dropout(rate: 0.25, isAlwaysOn: false)\n"), "\(text)")
      #expect(text.hasSuffix("  (3): Sequential(\n    (0-1): 2 x ReLU()\n  )\n)"), "\(text)")
      let optimizer = Optimizer(
        Adam(learningRate: 0.5), for: model, groups: [ParameterGroup([model.parameters[0]], rateFactor: 0.1)])
      let lines = "\(optimizer)".split(separator: "\n")
      #expect(lines.count == 3 && lines[0].hasPrefix("Adam(learningRate: 0.5") && lines[1] == "  3 parameters, step 0")
      #expect(lines[2].hasPrefix("  group 0: 1 parameter, rateFactor: 0.1"), "\(lines)")
      #expect("\(Parameter(.zeros([1]), isTrainable: false))".hasPrefix("Parameter (frozen): [0.]"))
    }
  }

  /// `load(from:)` copies the values of another model and converts their type. Later steps of the other model do not
  /// change the copy.
  @Test func loadingFromAnother() throws {
    for device in TestDevice.all {
      try withDevice(device.reopened()) { () throws in
        let make = {
          Sequential {
            Linear(2, 2)
            BatchNorm(2)
          }
        }
        let (online, target) = (make(), make())
        let optimizer = Optimizer(SGD(learningRate: 0.1), for: online)
        let x = Tensor([[1, 2], [3, 5]] as [[Float]])
        let step = { try withMode(.training) { try optimizer.minimize { online(x).squared().sum() } } }
        _ = try step()
        try target.load(from: online)
        let copied = try online(x).array()
        #expect(try target(x).array() == copied, "\(device.name)")
        _ = try step()
        #expect(try target(x).array() == copied && online(x).array() != copied, "\(device.name)")
        let narrow = make()
        narrow.convert(to: .float16)
        try narrow.load(from: online)
        #expect(narrow.parameters.allSatisfy { $0.dtype == .float16 })
      }
    }
  }

  @Test func freezing() throws {
    try withDevice(device) { () throws in
      let model = Net()
      #expect(model.freeze { $0.hasPrefix("head.") } == ["head.weight", "head.bias"])
      #expect(model.parameters.count { !$0.isTrainable } == 2)
      model.unfreeze { $0 == "tied" }
      #expect(model.head!.weight.isTrainable && !model.head!.bias!.isTrainable)
      #expect(model.freeze().count == model.parameters.count)
      model.unfreeze()
      #expect(model.parameters.allSatisfy { $0.isTrainable })
    }
  }

  /// Layers with `inMode(.inference)` run in inference mode during training, also in a checkpointed function.
  @Test func layersInModeKeepTheirMode() throws {
    for device in TestDevice.all {
      try withDevice(device.reopened()) { () throws in
        let norm = BatchNorm(1)
        let model = Sequential {
          Linear(1, 1)
          norm.inMode(.inference)
          Dropout(0.5).inMode(.inference)
        }
        #expect(model.state.entries.map(\.key).contains("1.running_mean"))
        let x = Tensor([[4], [8]] as [[Float]])
        let used = withMode(.inference) { model(x) }
        let optimizer = Optimizer(SGD(learningRate: 0), for: model)
        let step = { (body: () -> Tensor) in try withMode(.training) { try optimizer.minimize { body().sum() } } }
        let plain = try step { model(x) }.scalar()
        let again = try step { checkpointed([x]) { model($0[0]) } }.scalar()
        #expect(try plain == used.sum().scalar() && again == plain, "\(device.name)")
        #expect(try norm.runningMean!.value.array() == [0] && norm.weight!.isTrainable, "\(device.name)")
      }
    }
  }

  /// `withMode(_:of:where:_:)` overrides the mode that `withMode(_:_:)` sets, also where `checkpointed` runs the layer
  /// again for the gradient.
  @Test func modesOfLayers() throws {
    for device in TestDevice.all {
      try withDevice(device.reopened()) { () throws in
        let model = Sequential {
          Linear(1, 1)
          Sequential {
            BatchNorm(1)
            Dropout(0.5)
          }
        }
        let x = Tensor([[4], [8]] as [[Float]])
        let used = try withMode(.inference) { model(x) }.sum().scalar()
        let optimizer = Optimizer(SGD(learningRate: 0), for: model)
        let step = { (body: () -> Tensor) in try withMode(.training) { try optimizer.minimize { body().sum() } } }
        let (plain, again) = try withMode(.inference, of: model, where: { $0 == "1" }) {
          (try step { model(x) }, try step { checkpointed([x]) { model($0[0]) } })
        }
        #expect(try plain.scalar() == used && again.scalar() == used, "\(device.name)")
        let mean = model.state.entries.first { $0.key == "1.0.running_mean" }!
        #expect(try mean.value.array() == [0], "\(device.name)")
        _ = try step { model(x) }
        #expect(try mean.value.array() != [0], "\(device.name)")
        let inner = withMode(.inference, of: model) {
          withMode(.training, of: model, where: { $0 == "1.1" }) { model(Tensor.ones([64, 1])) }
        }
        #expect(try inner.array().contains(0), "\(device.name)")
      }
    }
  }

  /// The mode of a layer also applies to dropout that the layer runs but does not list in `members`.
  @Test func modesOfHiddenLayers() throws {
    try withDevice(device) { () throws in
      let layer = TransformerEncoderLayer(4, heads: 2, hidden: 8, dropout: 0.5)
      let x = Tensor.ones([3, 2, 4])
      let used = try withMode(.inference) { layer(x) }.array()
      let found = withMode(.inference, of: layer) { withMode(.training) { layer(x) } }
      #expect(try found.array() == used)
    }
  }

  /// `minimize` clips the norm of the gradients, also of accumulated gradients.
  @Test func clippedSteps() throws {
    try withDevice(device) { () throws in
      let layer = Linear(weight: Parameter([[3.0, 4]]), bias: nil)
      let optimizer = Optimizer(SGD(learningRate: 1), for: layer)
      try optimizer.minimize(clipNorm: 1) { (layer.weight.value.squared() / 2).sum() }
      let found = try layer.weight.value.array()
      #expect(abs(found[0] - 2.4) < 1e-5 && abs(found[1] - 3.2) < 1e-5)
      try optimizer.minimize(over: 2, clipNorm: 0.5) { _ in (layer.weight.value.squared() / 2).sum() }
      let next = try layer.weight.value.array()
      #expect(abs(next[0] - 2.1) < 1e-5 && abs(next[1] - 2.8) < 1e-5)
    }
  }
}
