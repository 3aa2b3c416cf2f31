import Apus

extension RunSettings {
  /// What trains a model as the settings say, on the current device.
  /// - Parameters:
  ///   - weights: what a new run starts from, if not from random numbers.
  ///   - isNew: whether it starts at all, and does not go on from a checkpoint.
  ///   - measures: whether it measures the model with the validation and the test examples.
  ///   - adapt: sets what has nothing to do with the numbers that come out.
  func trainer(
    _ task: LearningTask, from weights: PretrainedWeights?, isNew: Bool, measures: Bool = true,
    _ adapt: (inout TrainingOptions) -> Void
  ) throws -> Trainer {
    let seeds = RunSeeds(seed)
    let rule = try updateRule()
    let model = try withRandomKey(seeds.initialization) { try makeModel(for: task.format, rule: rule) }
    if isNew {
      try weights?.load(into: model, replacesHead: replacesHead)
      try withRandomKey(seeds.initialization.stream(1)) { try initialization?.initialize(model, self, on: task.train) }
    }
    return try trainer(
      model, rule, on: task.train, testing: measures ? task.test : nil, validating: measures ? task.validation : nil,
      objective: task.objective(self),
      testObjective: dataSettings.changesObjective ? task.format.objective : nil
    ) { options in
      if dataSettings.sampling == .balanced { options.balancedLabels = task.labels }
      adapt(&options)
    }
  }

  /// The formula of the optimizer.
  func updateRule() throws -> any UpdateRule {
    try optimizerRule(optimizer, learningRate: learningRate, weightDecay: weightDecay)
  }

  /// What trains a model that is there.
  /// - Parameter testObjective: what is reported, where that is not what is minimized.
  func trainer(
    _ model: any Layer, _ rule: any UpdateRule, on train: any ExampleSource, testing test: (any ExampleSource)? = nil,
    validating validation: (any ExampleSource)? = nil, objective: Objective, testObjective: Objective? = nil,
    _ adapt: (inout TrainingOptions) -> Void
  ) throws -> Trainer {
    var options = TrainingOptions(
      length: length, batchSize: batchSize.count, seed: seed,
      schedule: try learningRateSchedule(schedule, warmup: warmup ?? 0), precision: precision,
      clipNorm: clipNorm.flatMap { $0 > 0 ? $0 : nil }, clipValue: clipValue, detectsAnomalies: detectsAnomalies)
    adapt(&options)
    return Trainer(
      model, rule, on: train, testing: test, validating: validation, objective: objective,
      testObjective: testObjective, groups: groups(of: model), penalty: penalty(on: model), options)
  }

  /// Weights, which have more than one axis, and all else.
  private func groups(of model: any Module) -> [ParameterGroup] {
    guard decaysWeightsOnly || maxNorm != nil else { return [] }
    let state = model.state
    let constraint = maxNorm.map { MaxNorm($0) }
    return [
      ParameterGroup(state.parameters { $1.shape.rank > 1 }, constraint: constraint),
      ParameterGroup(state.parameters { $1.shape.rank <= 1 }, weightDecay: decaysWeightsOnly ? 0 : nil),
    ]
  }

  /// What the loss is to contain of the weights.
  private func penalty(on model: any Module) -> Penalty? {
    switch (l1, l2) {
    case (nil, nil): nil
    case (let l1?, nil): Penalty(.l1(l1), on: model)
    case (nil, let l2?): Penalty(.squaredL2(l2), on: model)
    case (let l1?, let l2?): Penalty(.elasticNet(l1: l1, squaredL2: l2), on: model)
    }
  }
}
