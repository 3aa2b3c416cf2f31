import Apus
import Synchronization

/// A training step on random data: forward, backward, update; the loss is read back one step late.
public struct TrainingStep: Workload {
  public let name: String
  private let model: String
  private let batchSize: Int
  private let rule: @Sendable () -> any UpdateRule
  /// How the losses are computed.
  public var precision = Precision.float32

  /// The workloads whose models there are.
  public static let all = [
    TrainingStep(name: "mlp-b128-adam", model: "mlp", batchSize: 128) { Adam(learningRate: 1e-3) },
    TrainingStep(name: "lenet5-b128-sgd", model: "lenet5", batchSize: 128) {
      SGD(learningRate: 1e-2, momentum: 0.9)
    },
    TrainingStep(name: "rnn-rows-b128-h128", model: "rnn", batchSize: 128) { Adam(learningRate: 1e-3) },
    TrainingStep(name: "lstm-rows-b128-h128", model: "lstm", batchSize: 128) { Adam(learningRate: 1e-3) },
    TrainingStep(name: "gru-rows-b128-h128", model: "gru", batchSize: 128) { Adam(learningRate: 1e-3) },
    TrainingStep(name: "charlm-lstm2-h256-t64-b32", model: "char-lstm", batchSize: 32) { Adam(learningRate: 1e-3) },
    TrainingStep(name: "transformer4-d256-t128-b16", model: "char-transformer", batchSize: 16) {
      Adam(learningRate: 1e-3)
    },
  ]

  /// The number of different characters in workloads of text.
  private static let vocabularySize = 96

  /// The workload of a name.
  public static func find(_ name: String) throws(ProblemError) -> TrainingStep {
    if let workload = all.first(where: { $0.name == name }) { return workload }
    throw ProblemError(
      description: "unknown workload \"\(name)\"" + suggestion(for: name, in: all.map(\.name)))
  }

  /// What belongs to the process (the time to the first loss, the peak of its memory) belongs to the workload only
  /// if it is the first one.
  private static let isProcessUsed = Atomic(false)

  public func run(on device: ComputeDevice, runs: Int, report: (Measurement) throws -> Void) throws {
    let isFirst = !TrainingStep.isProcessUsed.exchange(true, ordering: .relaxed)
    let before = ProcessStatistics.residentByteCount
    try withDevice(device) {
      let step = try training()
      let loss = try step().scalar()
      let age = ProcessStatistics.age
      guard loss.isFinite else { throw ProblemError(description: "\(name): the first loss is \(loss)") }
      var last: Reading?
      let timing = try Timing.measure(on: device, runs: runs, span: 100) {
        let reading = try step().startReading()
        _ = try last?.scalar()
        last = reading
      }
      var line = Measurement("step", problem: name, device: device, timing: timing)
      if precision == .mixed { line.variant = ("precision", "mixed") }
      if isFirst {
        line.firstStepMilliseconds = age
        line.peakByteCount = peak(of: device, before: before)
      }
      try report(line)
    }
  }

  /// A step of a new model; each call builds and runs the next one and returns its loss.
  public func training() throws -> () throws -> Tensor {
    let description = try ModelDescription.find(model)
    let (model, objective) = try withRandomKey(RandomKey(seed: 1)) { try network(of: description) }
    let optimizer = Optimizer(rule(), for: model, precision: precision)
    var key = RandomKey(seed: 2)
    func indices(_ shape: Shape, below bound: Int) -> Tensor {
      Tensor.uniform(shape, upper: Double(bound), key: &key).cast(to: .int32)
    }
    let (inputs, targets): (Tensor, Tensor)
    switch description.kind {
    case .images(let network):
      inputs = Tensor.normal(Shape([batchSize] + network.inputSize), key: &key)
      targets = indices([batchSize], below: 10)
    case .language(let network), .texts(let network):
      let shape: Shape = [batchSize, network.sequenceLength]
      inputs = indices(shape, below: TrainingStep.vocabularySize)
      targets = indices(shape, below: TrainingStep.vocabularySize)
    }
    try eval([inputs, targets])
    return {
      try withMode(.training) { try optimizer.minimize { objective.losses(model(inputs), targets).mean() } }
    }
  }

  private func network(of description: ModelDescription) throws -> (model: any Layer, objective: Objective) {
    switch description.kind {
    case .images(let network): return (try network.model(), .classification)
    case .language(var network):
      // Workloads leave nothing out, whatever the models' recipes do.
      network.dropout = 0
      return (try network.languageModel(vocabulary: TrainingStep.vocabularySize), .tokens)
    case .texts(let network):
      return (try network.classifier(vocabulary: TrainingStep.vocabularySize, classes: 10), .classification)
    }
  }

  /// Bytes that the workload took: of a device with memory of its own what it held, else what the process grew by.
  private func peak(of device: ComputeDevice, before: Int?) -> Int? {
    guard device.info.kind == .cpu else { return device.memory.peak }
    guard let before, let peak = ProcessStatistics.peakByteCount else { return nil }
    return peak - before
  }
}
