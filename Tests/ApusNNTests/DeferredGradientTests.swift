import Apus
import ApusNN
import ApusTensor
import ApusTestSupport
import Synchronization
import Testing

/// Steps whose gradients are deferred graphs: the operations of the gradients are built for the first steps only.
@Suite struct DeferredGradientTests {
  private static let devices = TestDevice.all.filter { $0.name != "reference" }

  private static func convolutional() -> Sequential {
    Sequential {
      Convolution<2>(1, 3, kernel: 3)
      BatchNorm(3)
      ReLU()
      Dropout(0.25)
      Flatten()
      Linear(3 * 4 * 4, 3)
    }
  }

  private static func input(_ step: Int) -> (x: Tensor, classes: Tensor) {
    let numbers = (0..<2 * 36).map { Float(($0 * 29 + step * 17) % 31) / 16 - 1 }
    return (Tensor(numbers, shape: [2, 1, 6, 6]), Tensor([Int32(step % 3), Int32((step + 1) % 3)]))
  }

  /// A model in training.
  private final class Run {
    let model: Sequential
    let optimizer: Optimizer
    let source = RandomSource(RandomKey(seed: 7))
    /// Whether the gradients are built in each step.
    let isEager: Bool

    init(_ rule: any UpdateRule, precision: Precision = .float32, isEager: Bool) {
      model = withRandomKey(RandomKey(seed: 2), convolutional)
      optimizer = Optimizer(rule, for: model, precision: precision)
      self.isEager = isEager
    }

    /// - Parameter change: changes the gradients before the update.
    func step(_ step: Int, _ change: (Gradients) throws -> Gradients = { $0 }) throws -> Tensor {
      optimizer.learningRate = 0.1 / Double(step + 1)
      let (x, classes) = input(step)
      return try withRandomSource(source) {
        try withMode(.training) {
          let build = { [model, optimizer] in
            try optimizer.valueAndGradients { crossEntropy(model(x), classes) * (1 + 0.5 * Double(step % 2)) }
          }
          // While the reads of parameters are recorded, gradients are not deferred.
          let (value, gradients) = try isEager ? ParameterReads.recording(build).0 : build()
          try optimizer.update(change(gradients))
          return value
        }
      }
    }

    func state() throws -> [[UInt8]] {
      try (model.state.entries.map(\.value) + optimizer.state.map(\.value)).map { try $0.withBytes { Array($0) } }
    }
  }

  /// Runs steps with and without deferred gradients, and compares losses and state.
  private func compare(
    _ rule: any UpdateRule, precision: Precision = .float32, _ change: (Gradients) throws -> Gradients = { $0 }
  ) throws {
    let (eager, deferred) = (
      Run(rule, precision: precision, isEager: true), Run(rule, precision: precision, isEager: false)
    )
    for step in 0..<6 {
      let losses = try (eager.step(step, change), deferred.step(step, change))
      #expect(try losses.0.scalar() == losses.1.scalar(), "step \(step)")
      #expect(try eager.state() == deferred.state(), "step \(step)")
    }
  }

  @Test(arguments: devices) func resultsHaveTheSameBits(_ test: TestDevice) throws {
    try withDevice(ComputeDevice(backend: test.backend())) { () throws in
      try compare(SGD(learningRate: 0.1, momentum: 0.9))
      try compare(Adam(learningRate: 0.01)) { $0.clipped(toNorm: 0.5) }
      try compare(SGD(learningRate: 0.1), precision: .mixed)
      let counts = ComputeDevice.current.deferredGraphCounts
      // All steps of the deferred runs create a deferred graph, except for the first step with a new graph. The second
      // comparison has the graph of the first one.
      #expect(counts.created == 5 + 6 + 5 && counts.expanded == 3, "\(counts)")
    }
  }

  /// A deferred gradient may be read alone, before or after the loss; it may be differentiated, and outlive the step.
  @Test(arguments: devices) func gradientsCanBeReadAlone(_ test: TestDevice) throws {
    try withDevice(ComputeDevice(backend: test.backend())) { () throws in
      let w = Parameter(Tensor([0.5, -1, 2] as [Float]))
      let x = Tensor([1, 2, 3] as [Float])
      func build() -> (value: Tensor, gradients: Gradients) {
        valueAndGradients(of: [w]) { (w.value * x).tanh().sum() }
      }
      let expected = try (build().value.scalar(), build().gradients.tensors[0]!.array())
      let created = ComputeDevice.current.deferredGraphCounts.created
      // The loss is read first, so the gradient is built before the evaluation releases the loss.
      var (value, gradients) = build()
      #expect(try value.scalar() == expected.0)
      #expect(try gradients.tensors[0]!.array() == expected.1)
      // The gradient is read first.
      (value, gradients) = build()
      #expect(try gradients.tensors[0]!.array() == expected.1)
      #expect(try value.scalar() == expected.0)
      // A value that is computed from the gradient.
      (value, gradients) = build()
      #expect(try (gradients.tensors[0]! * 2).array() == expected.1.map { $0 * 2 })
      #expect(try gradients.tensors[0]!.array() == expected.1)
      // The operations of the gradient are listed.
      (value, gradients) = build()
      #expect(pendingOperations(of: [gradients.tensors[0]!]).count > 3)
      #expect(try gradients.tensors[0]!.array() == expected.1)
      // Second derivatives.
      let second = try recordingGradients { () throws in
        let found = build().gradients.tensors[0]!
        #expect(try found.array() == expected.1)
        return ApusTensor.gradients(of: found.sum(), withRespectTo: [w.value])[0]
      }
      let direct = ApusTensor.gradients(
        of: ApusTensor.gradients(of: (w.value * x).tanh().sum(), withRespectTo: [w.value])[0].sum(),
        withRespectTo: [w.value])[0]
      #expect(try second.array() == direct.array())
      #expect(ComputeDevice.current.deferredGraphCounts.created == created + 5)
    }
  }

  /// Two parameters that share one gradient tensor, and a parameter without a gradient.
  @Test func sharedAndMissingGradients() throws {
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { () throws in
      let parameters = (0..<3).map { Parameter(Tensor([Float($0), 1])) }
      for _ in 0..<4 {
        let (value, gradients) = valueAndGradients(of: parameters) {
          let (a, b, c) = (parameters[0].value, parameters[1].value, parameters[2].value)
          return ((a + b).squared() + c.stopGradient()).sum()
        }
        #expect(gradients.tensors[2] == nil)
        #expect(try gradients.tensors[0]!.array() == [2, 4])
        #expect(try gradients.tensors[1]!.array() == [2, 4])
        #expect(try value.scalar() == 8)
      }
      let counts = ComputeDevice.current.deferredGraphCounts
      #expect(counts.created > 0)
    }
  }

  /// A user-defined gradient rule may capture a number that changes from step to step, so it runs in each step.
  @Test func customRulesRunInEachStep() throws {
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { () throws in
      let w = Parameter(Tensor([1, 2] as [Float]))
      for step in 1...4 {
        let (_, gradients) = valueAndGradients(of: [w]) {
          withGradient([w.value]) { gradient, _, _ in
            [gradient * Double(step)]
          } function: {
            $0[0]
          }.sum()
        }
        #expect(try gradients.tensors[0]!.array() == [Float(step), Float(step)])
      }
      #expect(ComputeDevice.current.deferredGraphCounts.created == 0)
    }
  }

  /// Two losses of one forward pass: the first update must not release what the second gradient needs.
  @Test(arguments: devices) func twoLossesOfOneForwardPass(_ test: TestDevice) throws {
    try withDevice(ComputeDevice(backend: test.backend())) { () throws in
      let (a, b) = (Parameter(Tensor([0.5, 1] as [Float])), Parameter(Tensor([2, -1] as [Float])))
      for _ in 0..<5 {
        let shared = (a.value * b.value).sigmoid()
        let first = valueAndGradients(of: [a]) { shared.sum() }
        let second = valueAndGradients(of: [b]) { (shared * shared).sum() }
        let found = try (first.gradients.tensors[0]!.array(), second.gradients.tensors[0]!.array())
        let again = (a.value * b.value).sigmoid()
        #expect(try ApusTensor.gradients(of: again.sum(), withRespectTo: [a.value])[0].array() == found.0)
        let square = (a.value * b.value).sigmoid()
        #expect(try ApusTensor.gradients(of: (square * square).sum(), withRespectTo: [b.value])[0].array() == found.1)
      }
    }
  }

  /// Other threads evaluate values on the device while steps run: values of their own, and values that share nodes with
  /// the graph of the step.
  @Test(arguments: devices) func otherThreadsMayEvaluate(_ test: TestDevice) async throws {
    let device = ComputeDevice(backend: try test.backend())
    let x = try withDevice(device) { try eval(Tensor([0.5, -1, 2] as [Float])) }
    let values = Values()
    let other = Task.detached {
      while !values.isFinished.load(ordering: .acquiring) {
        let own = try withDevice(device) { try (x * 2).array() }
        #expect(own == [1, -2, 4])
        if let shared = values.shared.withLock({ $0 }) { _ = try shared.array() }
      }
    }
    try withDevice(device) {
      let w = Parameter(Tensor([1, 2, 3] as [Float]))
      let optimizer = Optimizer(SGD(learningRate: 0.1), for: Single(weight: w))
      let reference = Parameter(Tensor([1, 2, 3] as [Float]))
      for step in 0..<200 {
        let loss = try optimizer.minimize {
          let product = (w.value * x).tanh()
          values.shared.withLock { $0 = step % 3 == 0 ? product : nil }
          return product.squared().sum()
        }
        let expected = (reference.value * x).tanh().squared().sum()
        let gradient = ApusTensor.gradients(of: expected, withRespectTo: [reference.value])[0]
        let next = reference.value - gradient * Tensor.number(0.1)
        try eval([expected, next])
        reference.value = next
        #expect(try loss.scalar() == expected.scalar(), "step \(step)")
        #expect(try w.value.array() == next.array(), "step \(step)")
      }
    }
    values.isFinished.store(true, ordering: .releasing)
    try await other.value
  }

  private final class Values: Sendable {
    let isFinished = Atomic(false)
    let shared = Mutex<Tensor?>(nil)
  }

  private struct Single: Module {
    let weight: Parameter
  }
}
