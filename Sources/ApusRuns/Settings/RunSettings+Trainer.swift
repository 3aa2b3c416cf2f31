import Apus

extension RunSettings {
  /// The trainer that the settings describe, on the current device.
  /// - Parameters:
  ///   - weights: the initial weights of a new run; `nil` for random ones.
  ///   - isNew: whether the run starts from initial weights instead of a checkpoint.
  ///   - measures: whether the model is evaluated on the validation and the test examples, and whether early stopping
  ///     applies.
  ///   - others: observers in addition to early stopping.
  ///   - adapt: sets options that do not change the results.
  package func trainer(
    _ task: LearningTask, from weights: PretrainedWeights?, isNew: Bool, measures: Bool = true,
    observers others: [any TrainingObserver] = [], _ adapt: (inout TrainingOptions) -> Void
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
      testObjective: dataSettings.changesObjective ? task.format.objective : nil,
      observers: (measures ? earlyStop.map { [$0.observer] } ?? [] : []) + others
    ) { options in
      if dataSettings.sampling == .balanced { options.balancedLabels = task.labels }
      adapt(&options)
    }
  }

  /// Throws if the settings need the accuracy of a regression model, for early stopping or for the best checkpoint.
  func checkMeasures() throws {
    guard earlyStop?.measure == .accuracy || retention.best == .accuracy else { return }
    if try DataKinds.kind(for: self).predictsNumbers(self) { try refuseAccuracy() }
  }

  /// Throws if early stopping or the best checkpoint depends on the accuracy.
  func refuseAccuracy() throws(TrainingError) {
    if earlyStop?.measure == .accuracy { throw SelectionMeasure.missingAccuracy(for: "early stopping") }
    if retention.best == .accuracy { throw SelectionMeasure.missingAccuracy(for: "the best checkpoint") }
  }

  /// The update rule of the optimizer.
  func updateRule() throws -> any UpdateRule {
    let rule = try optimizerRule(optimizer, learningRate: learningRate, weightDecay: weightDecay)
    guard let momentum, var moving = rule as? any MomentumRule else { return rule }
    moving.momentum = momentum
    return moving
  }

  /// The trainer of a given model.
  /// - Parameter testObjective: the objective that evaluations report, if it differs from the minimized one.
  package func trainer(
    _ model: any Layer, _ rule: any UpdateRule, on train: any ExampleSource, testing test: (any ExampleSource)? = nil,
    validating validation: (any ExampleSource)? = nil, objective: Objective, testObjective: Objective? = nil,
    observers: [any TrainingObserver] = [], _ adapt: (inout TrainingOptions) -> Void
  ) throws -> Trainer {
    var options = TrainingOptions(
      length: length, batchSize: batchSize.count, seed: seed,
      schedule: try learningRateSchedule(schedule, warmup: warmup ?? 0), precision: precision,
      clipNorm: clipNorm.flatMap { $0 > 0 ? $0 : nil }, clipValue: clipValue, detectsAnomalies: detectsAnomalies,
      compilesSteps: true)
    options.dropsLast = dataSettings.dropsLast
    options.lookahead = lookahead > 0 ? Lookahead(every: lookahead) : nil
    options.testTimeAugmentation = image.testTimeAugmentation
    adapt(&options)
    let freezers: [any TrainingObserver] = try freezer(of: model).map { [$0] } ?? []
    return Trainer(
      model, rule, on: train, testing: test, validating: validation, objective: objective,
      testObjective: testObjective, groups: groups(of: model), penalty: penalty(on: model),
      observers: observers + freezers, options)
  }

  /// The parameter groups: the biases of normalization layers, if they have a learning rate of their own; the other
  /// parameters with more than one axis; and all others. Empty if no setting distinguishes the groups.
  private func groups(of model: any Module) -> [ParameterGroup] {
    let biases = normBiasRate == 1 ? [] : model.normalizationBiases
    guard decaysWeightsOnly || maxNorm != nil || !biases.isEmpty else { return [] }
    let state = model.state
    let constraint = maxNorm.map { MaxNorm($0) }
    let others = state.parameters { !biases.contains($1) }
    return [
      ParameterGroup(
        biases, rateFactor: normBiasRate, weightDecay: decaysWeightsOnly ? 0 : weightDecay / normBiasRate),
      ParameterGroup(others.filter { $0.shape.rank > 1 }, constraint: constraint),
      ParameterGroup(others.filter { $0.shape.rank <= 1 }, weightDecay: decaysWeightsOnly ? 0 : nil),
    ]
  }

  /// The observer that freezes parameters; `nil` if all are trained.
  /// - Throws: `ModelError.misfit` if the model has no parameter of a given name, or if none is left to train.
  private func freezer(of model: any Module) throws(ModelError) -> ParameterFreezing? {
    guard !freezing.isEmpty else { return nil }
    let state = model.state
    let keys = state.entries.filter { $0.parameter != nil }.map(\.key)
    for rule in freezing where !(keys + state.aliases.keys).contains(where: rule.applies(to:)) {
      throw .misfit("--freeze \(rule.key.printable(limit: 200)): \(self.model.name) has no parameter of this name")
    }
    guard keys.contains(where: { key in !freezing.contains { $0.applies(to: key) } }) else {
      throw .misfit("--freeze leaves no parameter to train")
    }
    return ParameterFreezing(freezing, of: model)
  }

  /// The penalty on the weights that is added to the loss; `nil` for none.
  private func penalty(on model: any Module) -> Penalty? {
    switch (l1, l2) {
    case (nil, nil): nil
    case (let l1?, nil): Penalty(.l1(l1), on: model)
    case (nil, let l2?): Penalty(.squaredL2(l2), on: model)
    case (let l1?, let l2?): Penalty(.elasticNet(l1: l1, squaredL2: l2), on: model)
    }
  }
}
