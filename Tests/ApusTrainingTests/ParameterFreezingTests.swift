import Apus
import ApusTestSupport
import Testing

@testable import ApusTraining

@Suite struct ParameterFreezingTests {
  /// A run of `steps` steps, six in an epoch. The first weight is frozen from the start, the batch norm after one
  /// epoch.
  private func trainer(_ run: SmallRun, steps: Int) throws -> Trainer {
    var options = run.options
    (options.length, options.schedule) = (.steps(steps), ConstantSchedule())
    let (model, points) = (run.model(), try Points(count: 43))
    let rules = [ParameterFreezing.Rule("0.weight"), ParameterFreezing.Rule("1", after: 1)]
    return Trainer(
      model, Adam(learningRate: 0.02), on: points, observers: [ParameterFreezing(rules, of: model)], options)
  }

  private func values(_ trainer: Trainer) throws -> [String: [Float]] {
    var values: [String: [Float]] = [:]
    for entry in trainer.modelState.entries { values[entry.key] = try entry.value.array(of: Float.self) }
    return values
  }

  @Test func parametersAreFrozenInTime() throws {
    try withDevice(SmallRun().device) { () throws in
      let (short, long) = (try trainer(SmallRun(), steps: 6), try trainer(SmallRun(), steps: 15))
      let before = try values(short)
      for trainer in [short, long] { _ = try trainer.run() }
      let (first, last) = (try values(short), try values(long))
      #expect(first["0.weight"] == before["0.weight"] && last["0.weight"] == before["0.weight"])
      for key in ["1.weight", "1.bias"] { #expect(first[key] != before[key] && last[key] == first[key], "\(key)") }
      // The last layer is not frozen, nor are statistics.
      for key in ["4.weight", "4.bias", "1.running_mean"] {
        #expect(first[key] != before[key] && last[key] != first[key], "\(key)")
      }
    }
  }

  @Test func resumedRunsFreezeTheSameParameters() throws {
    let whole = try SmallRun().inDirectory { run, _ in try trainer(run, steps: 15).run() }
    try SmallRun().inDirectory { run, _ in
      try trainer(run, steps: 15).stop(after: 8)
      let rest = try trainer(run, steps: 15)
      try rest.resume { Issue.record("\($0)") }
      #expect(try rest.run().weightsSHA256 == whole.weightsSHA256)
    }
  }

  @Test func rulesNameParametersAndModules() {
    let rule = ParameterFreezing.Rule("layer1.0")
    #expect(rule.applies(to: "layer1.0") && rule.applies(to: "layer1.0.conv1.weight"))
    #expect(!rule.applies(to: "layer1.01.weight") && !rule.applies(to: "layer1"))
  }
}
