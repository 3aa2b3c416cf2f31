import Apus
import ApusTestSupport
import Testing

/// Layers, losses, optimizers and schedules against PyTorch, on every device.
@Suite struct ConformanceTests {
  @Test(arguments: TestDevice.conformance) func layers(_ test: TestDevice) throws {
    try compare(ModuleCase.layers, "layers", on: test)
  }

  @Test(arguments: TestDevice.conformance) func activations(_ test: TestDevice) throws {
    try compare(ModuleCase.moreActivations, "activations", on: test)
  }

  @Test(arguments: TestDevice.conformance) func attention(_ test: TestDevice) throws {
    // Other tests run the operations of attention on all devices. So the short list of cases is enough here on OpenCL,
    // where kernels take time to build.
    let isBuilt = test.name.hasPrefix("opencl")
    try compare(ModuleCase.attention, "attention", on: test) { !isBuilt || ModuleCase.shortAttention.contains($0) }
  }

  private func compare(
    _ modules: [ModuleCase], _ family: String, on test: TestDevice, where isWanted: (String) -> Bool = { _ in true }
  ) throws {
    let fixture = try Fixture(family)
    #expect(fixture.cases.sorted() == modules.map(\.name).sorted())
    var report = ConformanceReport(family, on: test)
    for module in modules where isWanted(module.name) {
      let problems = try withDevice(test.device) { () throws in try module.problems(fixture, &report) }
      #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
    }
    report.print()
  }

  @Test(arguments: TestDevice.conformance) func losses(_ test: TestDevice) throws {
    let fixture = try Fixture("losses")
    #expect(fixture.cases.sorted() == LossCase.all.map(\.name).sorted())
    var report = ConformanceReport("losses", on: test)
    for loss in LossCase.all where test.extent == .everything || !loss.sharesKernels {
      report.beginCase()
      try withDevice(test.device) { () throws in
        let inputs = try fixture.inputs(of: loss.name)
        let smooth = inputs.indices.filter { fixture.contains(loss.name, "gradient.input.\($0)") }
        let value = loss.value(inputs)
        let found = gradients(of: patternLoss([value]), withRespectTo: smooth.map { inputs[$0] })
        try eval([value] + found)
        let problem = report.add(try fixture.error(of: value, loss.name, "output.0"), of: loss.name)
        #expect(problem == nil)
        for (index, gradient) in zip(smooth, found) {
          let key = "gradient.input.\(index)"
          let error = try fixture.error(of: gradient, loss.name, key)
          #expect(report.add(error, of: "\(loss.name): \(key)", isGradient: true) == nil)
        }
      }
    }
    report.print()
  }

  /// Each update rule trains a small network for twenty steps. Rounding errors grow from step to step, so the losses,
  /// the weights and the optimizer's state are compared with the tolerances of gradients.
  @Test(arguments: TestDevice.conformance) func optimizers(_ test: TestDevice) throws {
    let fixture = try Fixture("optimizers")
    #expect(fixture.cases.filter { $0 != "start" }.sorted() == OptimizerCase.all.map(\.name).sorted())
    var report = ConformanceReport("optimizers", on: test)
    // The rules in `joined` compute gradients and update in one plan. For the other rules a separate plan computes the
    // gradients: it is the same for all of them, so its kernels are built only once.
    let joined: Set = ["sgd", "momentum", "adam"]
    for run in OptimizerCase.all {
      report.beginCase()
      try withDevice(test.device) { () throws in
        let net = ConformanceTests.net()
        for entry in net.state.entries { entry.assign(try fixture.tensor("start", "state.\(entry.key)")) }
        let (x, y) = (try fixture.tensor("start", "input.0"), try fixture.tensor("start", "input.1"))
        let optimizer = Optimizer(run.rule, for: net, groups: run.groups(net))
        var losses: [Tensor] = []
        for _ in 0..<20 {
          let (loss, gradients) = withMode(.training) {
            optimizer.atGradientPoint { valueAndGradients(of: optimizer.parameters) { crossEntropy(net(x), y) } }
          }
          if !joined.contains(run.name) { try eval([loss] + gradients.tensors.compactMap(\.self)) }
          try optimizer.update(run.clip(gradients))
          #expect(loss.isEvaluated, "the loss belongs to the plan of the update")
          losses.append(loss)
        }
        var found = [("losses", Tensor.stacked(losses))]
        for entry in net.state.entries { found.append(("after.\(entry.key)", entry.value)) }
        for (key, value) in optimizer.state { found.append(("slot.\(key)", value)) }
        for (key, value) in found where fixture.contains(run.name, key) {
          let error = try fixture.error(of: value, run.name, key)
          #expect(report.add(error, of: "\(run.name): \(key)", isGradient: true) == nil)
        }
      }
    }
    report.print()
  }

  /// The network of `net()` in `Tests/Conformance/optimizers.py`.
  static func net() -> Sequential {
    Sequential {
      Conv2d(1, 3, kernel: 3, padding: 1, hasBias: false)
      BatchNorm(3)
      ReLU()
      MaxPool2d(2)
      Flatten()
      Linear(27, 8)
      Tanh()
      Linear(8, 4)
    }
  }

  @Test func schedules() throws {
    let fixture = try Fixture("schedules")
    #expect(fixture.cases.sorted() == ScheduleCase.all.map(\.name).sorted())
    for run in ScheduleCase.all {
      var schedule = run.schedule
      let metrics = fixture.contains(run.name, "metrics") ? try fixture.numbers(run.name, "metrics") : nil
      let momenta = fixture.contains(run.name, "momenta") ? try fixture.numbers(run.name, "momenta") : nil
      for (step, factor) in try fixture.numbers(run.name, "factors").enumerated() {
        let found = schedule.factor(step: step, of: 200)
        #expect(abs(found - factor) <= 1e-9, "\(run.name), step \(step): \(found), expected \(factor)")
        let momentum = schedule.momentum(step: step, of: 200)
        #expect((momentum == nil) == (momenta == nil), "\(run.name)")
        if let momentum, let momenta {
          #expect(abs(momentum - momenta[step]) <= 1e-9, "\(run.name), step \(step): \(momentum)")
        }
        guard let metrics, var observer = schedule as? any MetricSchedule else { continue }
        observer.observe(metrics[step])
        schedule = observer
      }
    }
    print("conformance: schedules: \(ScheduleCase.all.count) cases of 200 steps")
  }
}
