import Apus
import ApusTestSupport
import Testing

/// Limits of the engine: the steps in the plan of a training step, the plans and the memory of a run, the time to plan
/// large graphs, and the length of a chain of pending nodes that can be released.
@Suite struct EngineBudgetTests {
  private func lenet() -> Sequential {
    Sequential {
      Conv2d(1, 6, kernel: 5, padding: 2)
      ReLU()
      MaxPool2d(2)
      Conv2d(6, 16, kernel: 5)
      ReLU()
      MaxPool2d(2)
      Flatten()
      Linear(400, 120)
      ReLU()
      Linear(120, 84)
      ReLU()
      Linear(84, 10)
    }
  }

  @Test func aLeNetStepIsAtMost45StepsAndWritesInPlace() throws {
    let recording = RecordingDevice()
    let device = ComputeDevice(backend: recording)
    try withDevice(device) { () throws in
      let model = lenet()
      let images = Tensor([Float](repeating: 0.5, count: 8 * 784), shape: [8, 1, 28, 28])
      let labels = Tensor([Int32](repeating: 1, count: 8))
      for rule: any UpdateRule in [SGD(learningRate: 0.1, momentum: 0.9), Adam(learningRate: 1e-3)] {
        let optimizer = Optimizer(rule, for: model)
        for _ in 0..<3 {
          try withMode(.training) { _ = try optimizer.minimize { crossEntropy(model(images), labels) } }
        }
        let plan = try #require(recording.plans.last)
        #expect(plan.steps.count <= 45)
        // All outputs except the loss are parameters and optimizer state, which overwrite the old values.
        #expect(plan.outputs.filter { $0.donatedInput == nil }.count == 1)
      }
    }
  }

  @Test func aThousandAdamStepsUnderACosineSchedulePrepareTwoPlans() throws {
    let device = ComputeDevice(backend: RecordingDevice())
    try withDevice(device) { () throws in
      let model = Sequential {
        Linear(4, 8)
        ReLU()
        Linear(8, 3)
      }
      let optimizer = Optimizer(Adam(learningRate: 1e-3), for: model)
      let schedule = CosineSchedule()
      let inputs = Tensor([Float](repeating: 1, count: 8), shape: [2, 4])
      let labels = Tensor([0, 2] as [Int32])
      for step in 0..<1000 {
        optimizer.learningRate = 1e-3 * schedule.factor(step: step, of: 1000)
        try withMode(.training) { _ = try optimizer.minimize { crossEntropy(model(inputs), labels) } }
      }
      #expect(device.preparedPlanCount == 2)
    }
  }

  /// Nodes are released one after another: a recursive release would overflow the stack.
  @Test func aChainOfAMillionPendingNodesIsReleased() {
    let device = ComputeDevice(backend: RecordingDevice())
    withDevice(device) {
      let one = Tensor([1] as [Float])
      var chain = one
      for _ in 0..<1_000_000 { chain = chain + one }
      #expect(chain.shape == [1])
    }
    #expect(device.memory.used == 0)
  }

  /// The time to plan a network is proportional to its size: four times the layers take about four times as long. An
  /// algorithm over pairs of layers would take sixteen times as long.
  @Test func planningADeepNetworkTakesTimeInProportion() throws {
    func milliseconds(layers: Int) throws -> Double {
      try withDevice(ComputeDevice(backend: RecordingDevice(checksPlans: false))) { () throws in
        let model = Sequential { for _ in 0..<layers { Linear(4, 4); ReLU() } }
        let optimizer = Optimizer(Adam(learningRate: 1e-3), for: model)
        let inputs = Tensor([Float](repeating: 1, count: 8), shape: [2, 4])
        let labels = Tensor([0, 2] as [Int32])
        try optimizer.prepare()
        return try threadMilliseconds {
          try withMode(.training) { _ = try optimizer.minimize { crossEntropy(model(inputs), labels) } }
        }
      }
    }
    _ = try milliseconds(layers: 10)
    let (small, large) = (try milliseconds(layers: 250), try milliseconds(layers: 1000))
    #expect(large <= 10 * small, "\(small) and \(large) ms")
  }

  /// The time to plan a chain of operations is proportional to its length. A Swift loop builds a long chain if it reads
  /// no value.
  @Test func planningALongChainTakesTimeInProportion() throws {
    func milliseconds(count: Int) throws -> Double {
      try withDevice(ComputeDevice(backend: RecordingDevice(checksPlans: false))) { () throws in
        let one = Tensor([1] as [Float])
        var chain = one
        for _ in 0..<count { chain = chain.sin() }
        return try threadMilliseconds { try eval(gradients(of: chain.sum(), withRespectTo: [one])) }
      }
    }
    _ = try milliseconds(count: 10)
    let (small, large) = (try milliseconds(count: 4000), try milliseconds(count: 16000))
    #expect(large <= 10 * small, "\(small) and \(large) ms")
  }

  @Test func memoryOfARunDoesNotGrow() throws {
    let device = ComputeDevice(backend: RecordingDevice())
    try withDevice(device) { () throws in
      let model = lenet()
      let optimizer = Optimizer(SGD(learningRate: 0.1, momentum: 0.9), for: model)
      let images = Tensor([Float](repeating: 0.5, count: 784), shape: [1, 1, 28, 28])
      let labels = Tensor([1] as [Int32])
      func step() throws {
        try withMode(.training) { _ = try optimizer.minimize { crossEntropy(model(images), labels) } }
      }
      for _ in 0..<20 { try step() }
      let used = device.memory.used
      for _ in 0..<200 { try step() }
      #expect(device.memory.used == used)
    }
  }
}
