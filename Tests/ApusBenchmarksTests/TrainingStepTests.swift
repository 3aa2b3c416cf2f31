import ApusBenchmarks
import ApusTestSupport
import Testing

@Suite(.serialized)
struct TrainingStepTests {
  /// After three warm-up steps, training steps make no new plan, and the plan of one training step has at most `limit`
  /// steps.
  @Test(arguments: [("mlp-b128-adam", 45), ("lenet5-b128-sgd", 45)])
  func trainingStepsReuseOnePlanOfFewSteps(name: String, limit: Int) throws {
    try recordingPlans { device in
      let training = try TrainingStep.find(name).training()
      let batch = try training.batch(128)
      for _ in 0..<3 { _ = try training.step(batch) }
      let before = device.plans.count
      for _ in 0..<20 { _ = try training.step(batch) }
      #expect(device.plans.count == before)
      #expect(device.lastSteps.count <= limit, "\(device.lastSteps.count) steps")
    }
  }
}
