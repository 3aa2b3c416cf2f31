import ApusBenchmarks
import ApusTestSupport
import Testing

@Suite(.serialized)
struct TrainingStepTests {
  /// Steps of one plan: the fewer, the less a device has to be told.
  @Test(arguments: [("mlp-b128-adam", 45), ("lenet5-b128-sgd", 45)])
  func aStepIsAFewStepsOfOnePlan(name: String, limit: Int) throws {
    try recordingPlans { device in
      let step = try TrainingStep.find(name).training()
      for _ in 0..<3 { _ = try step() }
      let before = device.plans.count
      for _ in 0..<20 { _ = try step() }
      #expect(device.plans.count == before)
      #expect(device.lastSteps.count <= limit, "\(device.lastSteps.count) steps")
    }
  }
}
