import Apus
import ApusTestSupport
import Testing

@testable import ApusTraining

/// A run throws before its first step if a trainable parameter would not be trained.
@Suite struct ParameterCheckTests {
  /// A model in which no gradient of the loss reaches the layer `idle` and the parameter `detached`.
  private struct Idle: Layer {
    let used = Linear(3, 2)
    let idle = Linear(3, 2)
    let detached = Parameter(Tensor.ones([2]))

    func callAsFunction(_ x: Tensor) -> Tensor { used(x) + idle(x).stopGradient() + detached.value.stopGradient() }
  }

  private func run(_ model: any Layer, precision: Precision = .float32) throws {
    let points = try Points(count: 20)
    _ = try Trainer(model, Adam(), on: points, TrainingOptions(length: .steps(2), batchSize: 8, precision: precision))
      .run()
  }

  private func refusal(_ model: any Layer, precision: Precision = .float32) -> TrainingError? {
    #expect(throws: TrainingError.self) { try run(model, precision: precision) }
  }

  @Test(arguments: [Precision.float32, .mixed]) func parametersWithoutAWayToTheLossAreNamed(precision: Precision) throws
  {
    try withDevice(SmallRun().device) { () throws -> Void in
      let model = Idle()
      #expect(refusal(model, precision: precision) == .untrained(keys: ["idle.weight", "idle.bias", "detached"]))
      let message = refusal(model)?.description ?? ""
      let names = "idle.weight, idle.bias, detached"
      #expect(message.contains("the loss does not depend on \(names), which would stay untrained"))
      for parameter in model.idle.parameters { parameter.isTrainable = false }
      #expect(refusal(model) == .untrained(keys: ["detached"]))
      model.detached.isTrainable = false
      try run(model)
    }
  }

  @Test func parametersThatTheOptimizerDoesNotHoldAreNamed() throws {
    try withDevice(SmallRun().device) { () throws -> Void in
      let hidden = Parameter(Tensor.ones([3]))
      let model = Sequential {
        Function { x in x * hidden.value }
        Linear(3, 2)
      }
      #expect(refusal(model) == .unknownParameter(shape: [3], layer: "0 (Function)"))
      let message = refusal(model)?.description ?? ""
      #expect(
        message.contains("a trainable parameter of shape [3] in layer 0 (Function) that the optimizer does not update"))
      hidden.isTrainable = false
      try run(model)
      // A parameter that the optimizer does not have is no error if the loss has no gradient with respect to it.
      hidden.isTrainable = true
      try run(
        Sequential {
          Function { x in x * hidden.value.stopGradient() }
          Linear(3, 2)
        })
    }
  }

  @Test func resumedRunsPassTheCheck() throws {
    try SmallRun().inDirectory { run, _ -> Void in
      try run.trainer().stop(after: 4)
      let trainer = try run.trainer()
      try trainer.resume { Issue.record("\($0)") }
      #expect(try trainer.run().steps == 18)
    }
  }
}
