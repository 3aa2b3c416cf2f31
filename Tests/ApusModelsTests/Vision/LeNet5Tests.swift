import Apus
import ApusTestSupport
import Testing

@Suite struct LeNet5Tests {
  @Test func keysAndShapesEqualPyTorch() throws {
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      let state = try ImageNetwork.lenet5.model().state
      let expected: [(String, Shape)] = [
        ("0.weight", [6, 1, 5, 5]), ("0.bias", [6]), ("3.weight", [16, 6, 5, 5]), ("3.bias", [16]),
        ("7.weight", [120, 400]), ("7.bias", [120]), ("9.weight", [84, 120]), ("9.bias", [84]),
        ("11.weight", [10, 84]), ("11.bias", [10]),
      ]
      #expect(state.entries.map(\.key) == expected.map(\.0))
      #expect(state.entries.map(\.shape) == expected.map(\.1))
    }
  }

  @Test func summaryCountsParametersAndOperations() throws {
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      let summary = try ModelSummary(of: ImageNetwork.lenet5.model(), input: [1, 28, 28])
      #expect(summary.trainableCount == 61_706 && summary.frozenCount == 0 && summary.statisticCount == 0)
      // By hand: 28·28·6·25 + 10·10·16·150 in the convolutions, 400·120 + 120·84 + 84·10 in the dense layers.
      #expect(summary.multiplyAccumulates == 416_520)
      #expect(summary.rows.map(\.multiplyAccumulates).reduce(0, +) == 416_520)
      #expect(summary.rows.map(\.parameterCount).reduce(0, +) == 61_706)
      #expect(summary.rows.map(\.type).prefix(3) == ["Conv2d", "ReLU", "MaxPool2d"])
      #expect(summary.rows[3].output == [16, 10, 10] && summary.output == [10])
      #expect(summary.description.contains("61,706 parameters"))
    }
  }

  @Test func inputsThatDoNotFitAreNamed() throws {
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      #expect(throws: LayerListError.self) { try ImageNetwork.lenet5.model(input: [1, 7, 7]) }
      let wide = try ImageNetwork.lenet5.model(input: [3, 32, 32], classes: 100)
      #expect(try ModelSummary(of: wide, input: [3, 32, 32]).output == [100])
      #expect(throws: ShapeError.self) { try ModelSummary(of: wide, input: [3, 28, 28]) }
    }
  }

  /// A training step has two bounds: one on the number of steps in its plan, and one on the host's time from building
  /// the graph until the device has the plan, in units of about 1 µs (`hostUnits`). The bounds are twice the measured
  /// values.
  @Test(arguments: [("sgd", 100.0), ("momentum", 120), ("adam", 160)])
  func stepCountAndHostTimeAreBounded(_ name: String, _ bound: Double) throws {
    let backend = RecordingDevice()
    let device = ComputeDevice(backend: backend)
    try withDevice(device) { () throws in
      let model = try ImageNetwork.lenet5.model()
      let optimizer = Optimizer(try optimizerRule(name, learningRate: 0.01), for: model)
      let x = try eval(Tensor.zeros([128, 1, 28, 28]))
      let y = try eval(Tensor.zeros([128], dtype: .int32))
      for _ in 0..<3 { try optimizer.minimize { crossEntropy(model(x), y) } }
      #expect(device.lastPlanStepCount <= 45)
      let cost = try hostUnits { try optimizer.minimize { crossEntropy(model(x), y) } }
      #expect(cost < bound)
    }
  }

  /// The host's time of a compiled step, in units of `hostUnits`. The bounds are twice the measured values.
  @Test(arguments: [("sgd", 25.0), ("adam", 40)])
  func hostTimeOfCompiledStepsIsBounded(_ name: String, _ bound: Double) throws {
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      let model = try ImageNetwork.lenet5.model()
      let x = try eval(Tensor.zeros([128, 1, 28, 28]))
      let y = try eval(Tensor.zeros([128], dtype: .int32))
      let step = CompiledStep(Optimizer(try optimizerRule(name, learningRate: 0.01), for: model)) { batch in
        crossEntropy(model(batch[0]), batch[1])
      }
      for _ in 0..<6 { try step([x, y]) }
      let cost = try hostUnits { try step([x, y]) }
      #expect(cost < bound, "\(cost)")
    }
  }
}
