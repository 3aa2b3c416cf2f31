import Apus
import ApusTestSupport
import Testing

/// Steps whose settings change: groups, constraints, momenta and random keys.
extension CompiledStepTests {
  /// Steps are compiled even if the program holds values of the model during every second step, or if the settings of
  /// groups change in each step.
  @Test func compilationSurvivesHeldValuesAndChangedGroups() throws {
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { () throws in
      let (plain, compiled) = (Run(Self.cases[0], isCompiled: false), Run(Self.cases[0], isCompiled: true))
      for step in 0..<60 {
        let held = step % 2 == 1 ? compiled.model.state.entries.map(\.value) : []
        try withExtendedLifetime(held) { try Self.compareSteps(step, plain, compiled) }
      }
      #expect(compiled.builds <= 10, "\(compiled.builds)")
      let grouped = [false, true].map { isCompiled in
        Run(Self.cases[0], isCompiled: isCompiled) { ParameterGroup([$0], weightDecay: 0.01) }
      }
      for step in 0..<60 {
        for run in grouped { run.optimizer.groups[0].rateFactor = 1 / Double(step + 1) }
        try Self.compareSteps(step, grouped[0], grouped[1])
      }
      #expect(grouped[1].builds <= 6, "\(grouped[1].builds)")
    }
  }

  /// A compiled step takes the numbers of a constraint as constants. After a constraint changes, the steps are compiled
  /// again.
  @Test func constrainedStepsAreCompiled() throws {
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { () throws in
      let runs = [false, true].map { isCompiled in
        Run(Self.cases[1], isCompiled: isCompiled) { ParameterGroup([$0], constraint: MaxNorm(0.5)) }
      }
      let (plain, compiled) = (runs[0], runs[1])
      for step in 0..<24 {
        for run in runs where step == 12 { run.optimizer.groups[0].constraint = MaxNorm(0.25) }
        try Self.compareSteps(step, plain, compiled, Self.cases[1])
      }
      #expect(compiled.builds <= 10, "\(compiled.builds)")
    }
  }

  /// With a momentum of 0, the update has another formula than with any other momentum.
  @Test func theMomentumMayBecomeZero() throws {
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { () throws in
      let (plain, compiled) = (Run(Self.cases[0], isCompiled: false), Run(Self.cases[0], isCompiled: true))
      for step in 0..<20 {
        for run in [plain, compiled] { run.optimizer.momentum = step % 10 < 5 ? 0.5 : 0 }
        try Self.compareSteps(step, plain, compiled)
      }
      #expect(compiled.builds < 20)
    }
  }

  /// The learning rate of a group is passed to each run of a compiled step's plan, even if the group has a constraint.
  @Test func ratesOfConstrainedGroupsMayChange() throws {
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { () throws in
      let runs = [false, true].map { isCompiled in
        Run(Self.cases[1], isCompiled: isCompiled) { ParameterGroup([$0], constraint: MaxNorm(0.5)) }
      }
      for step in 0..<24 {
        for run in runs { run.optimizer.groups[0].rateFactor = 1 / Double(step + 1) }
        try Self.compareSteps(step, runs[0], runs[1], Self.cases[1])
      }
      #expect(runs[1].builds <= 6, "\(runs[1].builds)")
    }
  }

  /// After the program has set another random seed or an earlier counter, the steps draw the numbers of the new key,
  /// and are still compiled.
  @Test func theRandomKeyMayChange() throws {
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { () throws in
      let runs = [false, true].map { Run(Self.cases[0], isCompiled: $0) }
      for step in 0..<40 {
        for run in runs where step == 10 { run.source.key = RandomKey(seed: 4) }
        for run in runs where step == 20 { run.source.key.counter = 0 }
        try Self.compareSteps(step, runs[0], runs[1])
      }
      #expect(runs[1].builds <= 6, "\(runs[1].builds)")
    }
  }

  /// Steps that draw the same random numbers again and again are not compiled. When later steps draw other numbers,
  /// they are compiled, and draw the numbers of their keys.
  @Test func theRandomKeyMayChangeAfterEqualKeys() throws {
    try withDevice(ComputeDevice(backend: TestDevice.all[0].backend())) { () throws in
      let runs = [false, true].map { Run(Self.cases[0], isCompiled: $0) }
      for step in 0..<40 {
        for run in runs where step < 8 { run.source.key = RandomKey(seed: 4) }
        try Self.compareSteps(step, runs[0], runs[1])
      }
      #expect((8..<20).contains(runs[1].builds), "\(runs[1].builds)")
    }
  }

  /// After a compiled step, `lastPlanStepCount` is the number of steps in the plan of this training step, whether the
  /// step builds its graph or not.
  @Test func thePlanOfACompiledStepIsTheLastOne() throws {
    let device = ComputeDevice(backend: try TestDevice.all[0].backend())
    try withDevice(device) { () throws in
      let run = Run(Self.cases[0], isCompiled: true)
      var counts: [Int] = []
      for step in 0..<8 {
        _ = try run.step(Self.cases[0].inputs(step), Self.labels(step))
        counts.append(device.lastPlanStepCount)
        #expect(try (Tensor([Float(step), 1]) * 2).array() == [Float(step) * 2, 2])
        #expect(device.lastPlanStepCount == 1)
      }
      #expect(run.builds < 8)
      #expect(Set(counts.dropFirst(2)).count == 1 && counts[7] > 1, "\(counts)")
    }
  }
}
