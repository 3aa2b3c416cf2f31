import ApusData
import ApusNN
import ApusSystem
import ApusTensor

/// Trains a model: batches, updates, validation, metrics and checkpoints.
///
/// ```swift
/// let seeds = RunSeeds(1)
/// let model = withRandomKey(seeds.initialization) { makeModel() }
/// let trainer = Trainer(model, Adam(), on: train, testing: test, TrainingOptions(length: .epochs(5), seed: 1))
/// let result = try trainer.run()
/// ```
/// A run is determined by the arguments of the initializer (among them the model's initial values) and the kind of
/// device. A run that is stopped at any time and resumed ends with bitwise the same result as an uninterrupted one.
public final class Trainer {
  /// The model to train.
  public let model: any Layer
  let modelState: ModelState
  /// The optimizer that updates the parameters.
  public let optimizer: Optimizer
  let train: any ExampleSource
  let test: (any ExampleSource)?
  let validation: (any ExampleSource)?
  let objective: Objective
  let testObjective: Objective
  let penalty: Penalty?
  let options: TrainingOptions
  let order: MinibatchOrder
  let device: ComputeDevice
  let random: RandomSource
  /// The schedule of the options, with the metrics that it has observed.
  var schedule: any Schedule

  /// The progress of the run.
  public internal(set) var state: TrainingState
  /// The observers of the run, in the order in which they receive events.
  public let observers: [any TrainingObserver]
  /// Requests checkpoints; `nil` without an output folder.
  let checkpoints: CheckpointSchedule?
  let measures: StepMeasures
  /// Whether an observer needs the norm of the gradients.
  let measuresGradientNorm: Bool
  /// The moving average with which the lookahead of the options replaces the values of the model.
  var average: LookaheadAverage?
  var session = TrainerSession()
  var store: CheckpointStore?
  /// The folder of the run, while it is locked.
  var runFolder: RunFolder?
  /// The step of the checkpoint that was written last or that the run resumed from; `nil` for none.
  var savedStep: Int?
  var isResumed = false

  /// Creates a trainer for a run on the device of the model's parameters. Nothing is written before `run()`.
  /// - Parameters:
  ///   - model: the model to train, with its initial values.
  ///   - rule: the update rule of the optimizer.
  ///   - train: the examples whose mean loss is minimized.
  ///   - test: examples for evaluation at the end of each epoch; with validation examples, at the end of the run only.
  ///   - validation: examples for evaluation at the end of each epoch and for model selection. A `MetricSchedule`
  ///     observes the results of this evaluation; without validation examples it observes the training loss, never the
  ///     results of `test`.
  ///   - objective: the loss to minimize and, without `testObjective`, the measures that are reported.
  ///   - testObjective: the objective of evaluations and of the reported training results; `nil` for `objective`.
  ///   - groups: parameters with their own learning rates, weight decays and constraints.
  ///   - penalty: a term that is added to the minimized loss. Reported losses do not contain the penalty.
  ///   - observers: receive the events of the run, and may stop it or request checkpoints.
  ///   - options: the length of the run, the batch size, the seed, and the output folder.
  public init(
    _ model: any Layer, _ rule: any UpdateRule, on train: any ExampleSource,
    testing test: (any ExampleSource)? = nil, validating validation: (any ExampleSource)? = nil,
    objective: Objective = .classification,
    testObjective: Objective? = nil, groups: [ParameterGroup] = [], penalty: Penalty? = nil,
    observers: [any TrainingObserver] = [], _ options: TrainingOptions
  ) {
    self.model = model
    modelState = model.state
    optimizer = Optimizer(rule, for: model, groups: groups, precision: options.precision)
    self.train = train
    self.test = test
    self.validation = validation
    self.objective = objective
    self.testObjective = testObjective ?? objective
    self.penalty = penalty
    measures = StepMeasures(testObjective ?? objective, hasOwnLoss: testObjective != nil || penalty != nil)
    self.observers = observers
    measuresGradientNorm = observers.contains { $0.needsGradientNorm }
    self.options = options
    let seeds = RunSeeds(options.seed)
    let batchSize = options.batchSize ?? train.count
    order =
      options.balancedLabels.map {
        MinibatchOrder(balancing: $0, batchSize: batchSize, seed: seeds.order, dropsLast: options.dropsLast)
      } ?? MinibatchOrder(count: train.count, batchSize: batchSize, seed: seeds.order, dropsLast: options.dropsLast)
    device = modelState.entries.first?.value.device ?? .current
    random = RandomSource(seeds.training)
    schedule = options.schedule
    state = TrainingState(
      exampleCount: train.count, batchSize: order.batchSize, seed: options.seed, randomKey: seeds.training,
      optimizer: type(of: rule).name, configuration: options.configuration)
    store = options.output.map { CheckpointStore(run: $0) }
    checkpoints = options.output.map { _ in
      CheckpointSchedule(saveEvery: options.saveEvery, best: options.retention.best)
    }
  }

  /// The number of steps of the whole run.
  public var totalSteps: Int {
    switch options.length {
    case .epochs(let count):
      // The subtraction keeps the rounding error of a fraction such as 1.1 from adding a step.
      let steps = (count * Double(order.batchesPerEpoch) - 1e-6).rounded(.up)
      // A number of steps that does not fit `Int` is limited to the largest `Int`.
      guard steps < 0x1p63 else { return .max }
      return count > 0 ? max(Int(steps), 1) : 0
    case .steps(let count): return count
    }
  }

  /// The names of the measures of training, without the loss.
  var measureNames: [String] { measures.names + (measuresGradientNorm ? [StepMeasures.gradientNorm] : []) }

  /// Sets the trainer to the state of a checkpoint: weights, optimizer, random numbers, results, and the memory of
  /// schedule and observers. `run()` then continues, with the same bits as a run that was not interrupted.
  ///
  /// The run must have the number of examples, the batch size, the seed and the optimizer of the checkpoint's run; it
  /// may be longer.
  /// - Throws: `mismatch` for the checkpoint of another run or model, `alreadyTrained` if the checkpoint has more steps
  ///   than the run, `damaged` for a damaged checkpoint. The trainer must not be used after an error: it may have only
  ///   a part of the state.
  public func resume(from checkpoint: Checkpoint) throws(TrainingError) {
    let kept = checkpoint.state
    func require(_ isEqual: Bool, _ what: String) throws(TrainingError) {
      guard isEqual else { throw .mismatch(path: checkpoint.path, reason: what) }
    }
    try require(kept.exampleCount == state.exampleCount, "it was trained with \(kept.exampleCount) examples")
    try require(kept.batchSize == state.batchSize, "its batch size is \(kept.batchSize)")
    try require(kept.seed == state.seed, "its seed is \(kept.seed)")
    try require(kept.optimizer == state.optimizer, "its optimizer is \(kept.optimizer)")
    guard kept.step <= totalSteps else {
      throw .alreadyTrained(path: checkpoint.path, steps: kept.step, total: totalSteps)
    }
    try checkpoint.load(into: model, device: device)
    try prepareAverage()
    try checkpoint.load(into: optimizer, average, device: device)
    random.key = kept.randomKey
    state = kept
    if var schedule = schedule as? any MetricSchedule {
      schedule.memory = kept.scheduleMemory
      try require(schedule.memory == kept.scheduleMemory, "its schedule_memory does not fit this schedule")
      self.schedule = schedule
    }
    for (key, observer) in rememberingObservers {
      guard let memory = kept.observerMemory[key] else {
        observer.memory = []
        continue
      }
      observer.memory = memory
      try require(observer.memory == memory, "its memory of the observer \(key) does not fit this observer")
    }
    state.configuration = options.configuration.isEmpty ? kept.configuration : options.configuration
    savedStep = kept.step
    isResumed = true
  }

  /// Resumes from the newest valid checkpoint of the output folder, as ``resume(from:)`` does. Without an output folder
  /// it does nothing.
  /// - Parameter warn: receives a message for each damaged checkpoint that is newer than the valid one.
  /// - Throws: `noCheckpoint` if the folder has no valid checkpoint, `inUse` if another process writes to it, and the
  ///   errors of ``resume(from:)``.
  public func resume(warn: (String) -> Void) throws(TrainingError) {
    guard let output = options.output else { return }
    // A missing output folder is not created.
    if FileSystem.exists(output) { try lockOutput() }
    let checkpoint = try store!.newest(warn: warn)
    try resume(from: checkpoint)
  }

  /// Makes the moving average of the lookahead, unless the options have none or it exists already. It starts at the
  /// current values of the model.
  func prepareAverage() throws(TrainingError) {
    guard options.lookahead != nil, average == nil else { return }
    average = try reportingTraining { try LookaheadAverage(of: model) }
  }

  /// Throws if the schedule depends on the accuracy, but the run cannot measure the accuracy, because there are no
  /// validation examples or the objective defines no accuracy. Test examples do not replace validation examples: they
  /// must not steer a run.
  func checkSchedule() throws(TrainingError) {
    guard let schedule = schedule as? any MetricSchedule, schedule.prefersLarger else { return }
    guard validation != nil, testObjective.hits != nil else {
      throw .unmeasurable(
        reason: "the schedule needs the accuracy of validation examples, but there are none, or no accuracy is defined")
    }
  }

  /// Locks the output folder. Throws `occupied` if a new run would start in the folder of another run.
  func checkOutput() throws(TrainingError) {
    guard let output = options.output else { return }
    try lockOutput()
    guard !isResumed else { return }
    guard try store!.names().isEmpty else { throw .occupied(path: output) }
  }

  /// Opens and locks the output folder, until the end of the run.
  private func lockOutput() throws(TrainingError) {
    guard runFolder == nil, let output = options.output else { return }
    let folder = if let folder = options.folder { folder } else { try RunFolder(creating: output) }
    store?.open(folder)
    runFolder = folder
  }
}
