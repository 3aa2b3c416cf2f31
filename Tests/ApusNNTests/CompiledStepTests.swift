import Apus
import ApusTestSupport
import Synchronization
import Testing

/// Training steps that build their graph for the first batches only.
@Suite struct CompiledStepTests {
  static let devices = TestDevice.all.filter { $0.name != "reference" }

  /// A model, and a batch for each step.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let rule: any UpdateRule
    let model: @Sendable () -> Sequential
    let inputs: @Sendable (_ step: Int) -> Tensor
    var testDescription: String { name }
  }

  static let cases = [
    Case(
      name: "convolution, batch norm and dropout, SGD with momentum", rule: SGD(learningRate: 0.1, momentum: 0.9),
      model: {
        Sequential {
          Convolution<2>(1, 3, kernel: 3)
          BatchNorm(3)
          ReLU()
          Dropout(0.25)
          Flatten()
          Linear(3 * 4 * 4, 5)
        }
      }, inputs: { numbers([4, 1, 6, 6], $0) }),
    // The batch is pending (not computed yet): rows of a set of images, converted to float32.
    Case(
      name: "two layers on pending inputs, NAdam", rule: NAdam(learningRate: 0.01),
      model: {
        Sequential {
          Linear(6, 8)
          GELU()
          Linear(8, 5)
        }
      },
      inputs: { step in
        let all = Tensor((0..<60).map { UInt8($0 * 41 % 256) }, shape: [10, 6])
        let rows = Tensor((0..<4).map { Int32(($0 + step * 3) % 10) })
        return all[rows].cast(to: .float32) * (1.0 / 255)
      }),
    Case(
      name: "embedding and LSTM, AMSGrad", rule: Adam(learningRate: 0.01, isAMSGrad: true),
      model: {
        Sequential {
          Embedding(7, 4)
          LastOutput(LSTM(4, 6, isBatchFirst: true))
          Linear(6, 5)
        }
      }, inputs: { step in Tensor((0..<12).map { Int32(($0 * 5 + step) % 7) }, shape: [4, 3]) }),
  ]

  private struct LastOutput: Layer {
    let lstm: LSTM
    init(_ lstm: LSTM) { self.lstm = lstm }
    func callAsFunction(_ x: Tensor) -> Tensor { lstm(x).output[.all, -1] }
  }

  private static func numbers(_ shape: Shape, _ step: Int) -> Tensor {
    Tensor((0..<shape.elementCount).map { Float(($0 * 37 + step * 11) % 23) / 8 - 1 }, shape: shape)
  }

  static func labels(_ step: Int, count: Int = 4) -> Tensor {
    Tensor((0..<count).map { Int32(($0 + step) % 5) })
  }

  /// A model in training, whose steps are compiled or not.
  final class Run {
    let model: Sequential
    let optimizer: Optimizer
    let source = RandomSource(RandomKey(seed: 3))
    /// How often the loss was built.
    private(set) var builds = 0
    private var compiled: CompiledStep?

    /// - Parameter group: makes a parameter group of the first parameter; `nil` for no group.
    init(_ item: Case, isCompiled: Bool, group: ((Parameter) -> ParameterGroup)? = nil) {
      let model = withRandomKey(RandomKey(seed: 1), item.model)
      let groups = group.map { [$0(model.state.parameters[0])] } ?? []
      self.model = model
      optimizer = Optimizer(item.rule, for: model, groups: groups)
      guard isCompiled else { return }
      compiled = CompiledStep(optimizer) { [unowned self] in buildLoss($0) }
    }

    private func buildLoss(_ batch: [Tensor]) -> Tensor {
      builds += 1
      return crossEntropy(model(batch[0]), batch[1])
    }

    func step(_ x: Tensor, _ classes: Tensor, mode: Mode = .training) throws -> Double {
      try withRandomSource(source) {
        try withMode(mode) {
          let loss =
            if let compiled { try compiled([x, classes]) } else { try optimizer.minimize { buildLoss([x, classes]) } }
          return try loss.scalar()
        }
      }
    }

    func state() throws -> [[UInt8]] {
      let values = model.state.entries.map(\.value) + optimizer.state.map(\.value)
      return try values.map { try $0.withBytes { Array($0) } } + [Array("\(optimizer.step) \(source.key)".utf8)]
    }
  }

  /// Losses, weights, the optimizer's state and the random key have the same bits as with steps that build their graph,
  /// also when the learning rate, momentum, mode, frozen parameters or batch size change.
  @Test(arguments: TestDevice.pairs(devices, cases)) func resultsHaveTheSameBits(_ test: TestDevice, _ item: Case)
    throws
  {
    try withDevice(ComputeDevice(backend: test.backend())) { () throws in
      let (plain, compiled) = (Run(item, isCompiled: false), Run(item, isCompiled: true))
      for step in 0..<20 {
        for run in [plain, compiled] {
          run.optimizer.learningRate = 0.1 / Double(step + 1)
          run.optimizer.momentum = step >= 5 ? 0.8 + 0.005 * Double(step) : nil
          run.optimizer.parameters[0].isTrainable = !(10..<13).contains(step)
        }
        let mode = step == 14 ? Mode.inference : .training
        var (x, classes) = (item.inputs(step), Self.labels(step))
        if step == 9 { (x, classes) = (x[..<3], classes[..<3]) }
        #expect(try plain.step(x, classes, mode: mode) == compiled.step(x, classes, mode: mode), "step \(step)")
        #expect(try plain.state() == compiled.state(), "step \(step)")
      }
      #expect(plain.builds == 20)
      // A kind of steps builds its graph until three recordings agree. There are three such kinds: the first steps,
      // those with momentum, and those with a frozen parameter. The other kinds (a smaller batch, inference) occur
      // once.
      #expect(compiled.builds <= 14, "\(compiled.builds)")
    }
  }

  /// The host builds the graph of the first steps only.
  @Test func theGraphIsBuiltForTheFirstStepsOnly() throws {
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { () throws in
      let run = Run(Self.cases[0], isCompiled: true)
      for step in 0..<30 { _ = try run.step(Self.cases[0].inputs(step), Self.labels(step)) }
      #expect(run.builds <= 5, "\(run.builds)")
    }
  }

  /// A step does not overwrite values that the program still refers to.
  @Test(arguments: devices) func heldValuesStayUnchanged(_ test: TestDevice) throws {
    try withDevice(ComputeDevice(backend: test.backend())) { () throws in
      let (plain, compiled) = (Run(Self.cases[0], isCompiled: false), Run(Self.cases[0], isCompiled: true))
      var held: [(Tensor, [Float])] = []
      for step in 0..<12 {
        let (x, classes) = (Self.cases[0].inputs(step), Self.labels(step))
        #expect(try plain.step(x, classes) == compiled.step(x, classes))
        guard step % 3 == 2 else { continue }
        for entry in compiled.model.state.entries { held.append((entry.value, try entry.value.array())) }
        // A graph that reads a parameter.
        let doubled = compiled.optimizer.parameters[0].value * 2
        held.append((doubled, try plain.optimizer.parameters[0].value.array().map { $0 * 2 }))
      }
      #expect(try plain.state() == compiled.state())
      for (tensor, values) in held { #expect(try tensor.array() == values) }
    }
  }

  /// A compiled step that fails changes nothing.
  @Test(arguments: devices) func failedStepsChangeNothing(_ test: TestDevice) throws {
    let failing = FailingDevice(try test.backend())
    try withDevice(ComputeDevice(backend: failing)) { () throws in
      for item in Self.cases {
        let (plain, tried) = (Run(item, isCompiled: false), Run(item, isCompiled: true))
        for step in 0..<10 {
          let (x, classes) = (item.inputs(step), Self.labels(step))
          if step >= 6 {
            let before = try tried.state()
            #expect(throws: DeviceError.self) { _ = try tried.step(x, Tensor([0, 1, 5, 2] as [Int32])) }
            #expect(try tried.state() == before, "\(item.name), step \(step)")
            failing.fail(.run)
            #expect(throws: DeviceError.self) { _ = try tried.step(x, classes) }
            #expect(try tried.state() == before, "\(item.name), step \(step)")
          }
          #expect(try plain.step(x, classes) == tried.step(x, classes), "\(item.name), step \(step)")
          #expect(try plain.state() == tried.state(), "\(item.name), step \(step)")
        }
      }
    }
  }

  /// After a run that failed while it overwrote the weights, later steps fail too: the weights have no value.
  @Test func overwrittenWeightsAreNotUsed() throws {
    let failing = FailingDevice(try TestDevice.all[0].backend())
    try withDevice(ComputeDevice(backend: failing)) { () throws in
      let run = Run(Self.cases[0], isCompiled: true)
      for step in 0..<6 { _ = try run.step(Self.cases[0].inputs(step), Self.labels(step)) }
      failing.fail(.runAfterOverwriting)
      for step in 6..<9 {
        #expect(throws: DeviceError.self) { _ = try run.step(Self.cases[0].inputs(step), Self.labels(step)) }
        #expect(throws: DeviceError.self) { _ = try run.optimizer.parameters[0].value.array() }
      }
    }
  }

  /// Tensors that are the same in the first steps may differ later: two frozen parameters that start as one tensor, and
  /// a batch that is also a constant of the loss.
  @Test func sharedTensorsMayDifferLater() throws {
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { () throws in
      struct Three: Module {
        let weight = Parameter(Tensor([0.5, -1] as [Float]))
        let a: Parameter
        let b: Parameter
        init(_ shared: Tensor) {
          (a, b) = (Parameter(shared, isTrainable: false), Parameter(shared, isTrainable: false))
        }
      }
      let (shared, x) = (Tensor([1, 2] as [Float]), try eval(Tensor([3, 4] as [Float])))
      let models = (0..<2).map { _ in Three(shared) }
      let optimizers = models.map { Optimizer(SGD(learningRate: 0.1), for: $0) }
      func loss(_ model: Three, _ input: Tensor) -> Tensor {
        (model.weight.value * model.a.value + model.b.value * input * x).tanh().sum()
      }
      let compiled = CompiledStep(optimizers[1]) { loss(models[1], $0[0]) }
      for step in 0..<16 {
        if step == 5 { for model in models { model.b.value = Tensor([5, 6] as [Float]) } }
        let input = step < 10 ? x : try eval(Tensor([Float(step), 1]))
        let value = try optimizers[0].minimize { loss(models[0], input) }
        #expect(try value.scalar() == compiled([input]).scalar(), "step \(step)")
        #expect(try models[0].weight.value.array() == models[1].weight.value.array(), "step \(step)")
      }
    }
  }

  /// A frozen parameter gets another value. The loss also reads the parameter's first value as a constant.
  @Test func aFrozenParameterMayDifferFromAConstantLater() throws {
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { () throws in
      struct Two: Module {
        let weight = Parameter(Tensor([0.5, -1] as [Float]))
        let frozen: Parameter
        init(_ value: Tensor) { frozen = Parameter(value, isTrainable: false) }
      }
      let constant = try eval(Tensor([1, 2] as [Float]))
      let models = (0..<2).map { _ in Two(constant) }
      let optimizers = models.map { Optimizer(SGD(learningRate: 0.1), for: $0) }
      var builds = 0
      func loss(_ model: Two, _ input: Tensor) -> Tensor {
        (model.weight.value * model.frozen.value * input + constant * model.weight.value).tanh().sum()
      }
      let compiled = CompiledStep(optimizers[1]) { batch in
        builds += 1
        return loss(models[1], batch[0])
      }
      for step in 0..<20 {
        if step == 6 { for model in models { model.frozen.value = Tensor([5, 6] as [Float]) } }
        let input = Tensor([Float(step), 1])
        let value = try optimizers[0].minimize { loss(models[0], input) }
        #expect(try value.scalar() == compiled([input]).scalar(), "step \(step)")
        #expect(try models[0].weight.value.array() == models[1].weight.value.array(), "step \(step)")
      }
      #expect(builds <= 10, "\(builds)")
    }
  }

  /// Each of the first steps starts with the same value of a trained parameter and the same number in the batch. The
  /// loss also reads this value and this number as constants, which keep their values in later steps.
  @Test func capturedValuesStayConstants() throws {
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { () throws in
      let models = (0..<2).map { _ in Bare(Parameter(Tensor([0.5, -1] as [Float]))) }
      let optimizers = models.map { Optimizer(SGD(learningRate: 0.1), for: $0) }
      let starts = models.map(\.weight.value)
      let number = Tensor.number(0.5, dtype: .float32, device: .current)
      func loss(_ index: Int, _ batch: [Tensor]) -> Tensor {
        let weight = models[index].weight.value
        return (weight * batch[0] * batch[1]).tanh().sum() + ((weight - starts[index]) * number).squared().sum()
      }
      let compiled = CompiledStep(optimizers[1]) { loss(1, $0) }
      for step in 0..<12 {
        if step < 4 { for (model, start) in zip(models, starts) { model.weight.value = start } }
        let batch = [
          Tensor([Float(step), 1]), step < 8 ? number : .number(Double(step), dtype: .float32, device: .current),
        ]
        let value = try optimizers[0].minimize { loss(0, batch) }
        #expect(try value.scalar() == compiled(batch).scalar(), "step \(step)")
        #expect(try models[0].weight.value.array() == models[1].weight.value.array(), "step \(step)")
      }
    }
  }

  /// A value that was computed from a parameter before a compiled step does not change when the step changes the
  /// parameter.
  @Test func earlierValuesStayConstants() throws {
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { () throws in
      let (w, v) = (Parameter(Tensor([0.5, -1] as [Float])), Parameter(Tensor([1, 2] as [Float])))
      let optimizers = [w, v].map { Optimizer(SGD(learningRate: 0.1), for: Bare($0)) }
      let step = CompiledStep(optimizers[0]) { (w.value * $0[0]).tanh().sum() }
      for _ in 0..<5 { _ = try step([Tensor([1, 2] as [Float])]) }
      let target = try eval(w.value * 2)
      let values = try target.array()
      _ = try step([Tensor([3, 4] as [Float])])
      let loss = try optimizers[1].minimize { (v.value - target).squared().sum() }
      #expect(try target.array() == values)
      let expected = zip([1, 2], values).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      #expect(try abs(Float(loss.scalar()) - expected) < 1e-5)
    }
  }

  /// A value that waits for the next evaluation (`evaluateWithNext`) is computed together with the next step, which
  /// builds its graph for this.
  @Test func attachedValuesAreComputed() throws {
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { () throws in
      let run = Run(Self.cases[0], isCompiled: true)
      for step in 0..<6 { _ = try run.step(Self.cases[0].inputs(step), Self.labels(step)) }
      let builds = run.builds
      let value = Tensor([1, 2] as [Float]) * 2
      value.evaluateWithNext()
      _ = try run.step(Self.cases[0].inputs(6), Self.labels(6))
      #expect(run.builds == builds + 1)
      _ = try run.step(Self.cases[0].inputs(7), Self.labels(7))
      #expect(try run.builds == builds + 1 && value.array() == [2, 4])
    }
  }

  /// A step with a malformed batch fails inside of `checkingShapes`, even after many such steps.
  @Test func malformedBatchesAreReported() throws {
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { () throws in
      let run = Run(Self.cases[1], isCompiled: true)
      for step in 0..<8 {
        #expect(throws: ShapeError.self) {
          try checkingShapes { try run.step(Self.cases[1].inputs(step), Self.labels(step, count: 3)) }
        }
      }
      #expect(run.builds == 8)
    }
  }

  /// While a step runs, another thread may read a parameter. It gets the value from before or after this step, and this
  /// value does not change later.
  @Test(arguments: devices) func otherThreadsMayReadParameters(_ test: TestDevice) async throws {
    let device = ComputeDevice(backend: try test.backend())
    let run = withDevice(device) { Run(Self.cases[0], isCompiled: true) }
    try withDevice(device) { for step in 0..<6 { _ = try run.step(Self.cases[0].inputs(step), Self.labels(step)) } }
    let (parameter, flag) = (run.optimizer.parameters[0], Flag())
    let reader = Task.detached { () -> [(value: Tensor, array: [Float])] in
      var values: [(value: Tensor, array: [Float])] = []
      while !flag.isSet.load(ordering: .acquiring) {
        let value = parameter.value
        values.append((value, try value.array()))
        if values.count > 50 { values.removeFirst(25) }
      }
      return values
    }
    try withDevice(device) { for step in 6..<60 { _ = try run.step(Self.cases[0].inputs(step), Self.labels(step)) } }
    flag.isSet.store(true, ordering: .releasing)
    for (value, array) in try await reader.value { #expect(try value.array() == array) }
  }

  private final class Flag: Sendable {
    let isSet = Atomic(false)
  }

  /// Steps that read changing numbers or tensors from outside, and rules with a formula that changes, build their graph
  /// in each step.
  @Test func changingStepsAreBuiltInEachStep() throws {
    struct ChangingRule: UpdateRule {
      static let name = "changing"
      let learningRate = 0.1
      var weightDecay = 0.0
      let stateNames: [String] = []
      func update(step: StepCount, rate: Double, number: (Double) -> Tensor) -> ParameterUpdate {
        let rate = number(rate)
        return { value, gradient, _ in step.attempts % 2 == 0 ? value - gradient * rate : value - rate * value }
      }
    }
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { () throws in
      func compare(_ rule: any UpdateRule, _ loss: (_ w: Tensor, _ x: Tensor, _ step: Int) throws -> Tensor) throws {
        let parameters = (0..<2).map { _ in Parameter(Tensor([0.5, -1, 2] as [Float])) }
        let optimizers = parameters.map { Optimizer(rule, for: Bare($0)) }
        let step = Mutex(0)
        try withoutActuallyEscaping(loss) { loss in
          let compiled = CompiledStep(optimizers[1]) { batch in
            try loss(parameters[1].value, batch[0], step.withLock { $0 })
          }
          for number in 0..<10 {
            step.withLock { $0 = number }
            let x = Tensor([1, Float(number), 3])
            let value = try optimizers[0].minimize { try loss(parameters[0].value, x, number) }
            #expect(try value.scalar() == compiled([x]).scalar(), "step \(number)")
            #expect(try parameters[0].value.array() == parameters[1].value.array(), "step \(number)")
          }
        }
      }
      try compare(SGD(learningRate: 0.1)) { w, x, step in (w * x * (1 + Double(step))).tanh().sum() }
      try compare(SGD(learningRate: 0.1)) { w, x, step in (w * x * Tensor([Float(step), 1, 2])).tanh().sum() }
      try compare(SGD(learningRate: 0.1)) { w, x, step in step % 2 == 0 ? (w * x).sin().sum() : (w + x).cos().sum() }
      try compare(SGD(learningRate: 0.1)) { w, x, _ in
        let first = (w * x).tanh().sum()
        return try first.scalar() > 0 ? first : -first
      }
      try compare(ChangingRule()) { w, x, _ in (w * x).tanh().sum() }
      // The closure draws random numbers that are not in the graph, so the step must not be compiled, although its
      // graph is the same in the first steps.
      try compare(SGD(learningRate: 0.1)) { w, x, step in
        _ = RandomSource.current.draw { $0.next() }
        return step < 6 ? (w * x).sin().sum() : (w + x).cos().sum()
      }
    }
  }

  private struct Bare: Module {
    let weight: Parameter
    init(_ weight: Parameter) { self.weight = weight }
  }

  /// Steps inside of scopes that record or check operations, or that set another precision.
  @Test func scopes() throws {
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { try Self.runInScopes() }
  }

  private static func runInScopes() throws {
    let (plain, compiled) = (Run(cases[0], isCompiled: false), Run(cases[0], isCompiled: true))
    for step in 0..<12 {
      switch step {
      case 6: try recordingGradients { try compareSteps(step, plain, compiled) }
      case 7: try withPrecision(.mixed(.bfloat16)) { try compareSteps(step, plain, compiled) }
      case 8: try detectingAnomalies { try compareSteps(step, plain, compiled) }
      default: try compareSteps(step, plain, compiled)
      }
    }
    let wrong = cases[0].inputs(1) * Double.infinity
    let result = Result { try detectingAnomalies { try compiled.step(wrong, labels(1)) } }
    guard case .failure(let error as DeviceError) = result, case .notFinite = error else {
      Issue.record("\(result)")
      return
    }
  }

  /// Takes a step of both runs and compares the losses and states.
  static func compareSteps(_ step: Int, _ plain: Run, _ compiled: Run, _ item: Case = cases[0]) throws {
    let (x, classes) = (item.inputs(step), labels(step))
    #expect(try plain.step(x, classes) == compiled.step(x, classes), "step \(step)")
    #expect(try plain.state() == compiled.state(), "step \(step)")
  }
}
