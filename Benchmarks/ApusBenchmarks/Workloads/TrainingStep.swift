import Apus
import Synchronization

/// A training step on random data: forward pass, backward pass and update. The loss of a step is read back after the
/// next step has been submitted.
public struct TrainingStep: Workload {
  public let name: String
  private let model: Model
  private let batchSize: Int
  private let rule: @Sendable () -> any UpdateRule
  /// The precision of matrix products and convolutions in the step.
  public var precision = Precision.float32

  /// A model that has a name in `ModelDescription`, or a function that makes a model for images of a given size.
  private enum Model: Sendable {
    case named(String)
    case images([Int], classes: Int, @Sendable () throws -> any Layer)
  }

  /// The workloads that `apus bench step` runs if none is named.
  public static let all = [
    TrainingStep(name: "mlp-b128-adam", model: .named("mlp"), batchSize: 128, rule: adam),
    TrainingStep(name: "lenet5-b128-sgd", model: .named("lenet5"), batchSize: 128, rule: sgd),
    TrainingStep(
      name: "resnet18-cifar-b32",
      model: .images([3, 32, 32], classes: 10) { ResNet(classes: 10, stem: .smallImage) }, batchSize: 32, rule: sgd),
    TrainingStep(
      name: "vgg16bn-cifar-b32",
      model: .images([3, 32, 32], classes: 10) { VGG(isNormalized: true, classes: 10, stem: .smallImage) },
      batchSize: 32, rule: sgd),
    TrainingStep(
      name: "alexnet-224-b16", model: .images([3, 224, 224], classes: 1000) { AlexNet() }, batchSize: 16, rule: sgd),
    TrainingStep(name: "rnn-rows-b128-h128", model: .named("rnn"), batchSize: 128, rule: adam),
    TrainingStep(name: "lstm-rows-b128-h128", model: .named("lstm"), batchSize: 128, rule: adam),
    TrainingStep(name: "gru-rows-b128-h128", model: .named("gru"), batchSize: 128, rule: adam),
    TrainingStep(name: "charlm-lstm2-h256-t64-b32", model: .named("char-lstm"), batchSize: 32, rule: adam),
    TrainingStep(name: "transformer4-d256-t128-b16", model: .named("char-transformer"), batchSize: 16, rule: adam),
  ]

  /// Workloads for GPUs. They take minutes on a CPU, so `apus bench step` runs them only if they are named.
  public static let large = [
    TrainingStep(
      name: "resnet50-224-b256",
      model: .images([3, 224, 224], classes: 1000) { ResNet(blocks: [3, 4, 6, 3], of: .bottleneck) }, batchSize: 256,
      rule: sgd),
    TrainingStep(
      name: "lstm2-h512-t64-b64",
      model: .images([1, 64, 512], classes: 10) {
        try LayerList(parsing: "rows, lstm 512 layers 2, dense 10").model(for: [1, 64, 512])
      }, batchSize: 64, rule: adam),
  ]

  private static let adam: @Sendable () -> any UpdateRule = { Adam(learningRate: 1e-3) }
  private static let sgd: @Sendable () -> any UpdateRule = { SGD(learningRate: 1e-2, momentum: 0.9) }

  /// The vocabulary size of the text workloads.
  private static let vocabularySize = 96

  /// The workload with a given name.
  public static func find(_ name: String) throws(ProblemError) -> TrainingStep {
    let known = all + large
    if let workload = known.first(where: { $0.name == name }) { return workload }
    throw ProblemError(
      description: "unknown workload \"\(name)\"" + suggestion(for: name, in: known.map(\.name)))
  }

  /// Whether a workload has already run in this process. The time to the first loss and the peak memory are measured
  /// for the whole process, so they are valid only for the first workload of the process.
  private static let isProcessUsed = Atomic(false)

  public func run(on device: ComputeDevice, runs: Int, report: (Measurement) throws -> Void) throws {
    let isFirst = !TrainingStep.isProcessUsed.exchange(true, ordering: .relaxed)
    let before = ProcessStatistics.residentByteCount
    try withDevice(device) {
      let training = try training()
      let batch = try training.batch(batchSize)
      func step() throws -> Tensor { try training.step(batch) }
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
      if precision != .float32 { line.variant = ("precision", precision.name) }
      if isFirst {
        line.firstStepMilliseconds = age
        line.peakByteCount = peak(of: device, before: before)
        line.otherBatchMilliseconds = try otherBatch(training)
      }
      try report(line)
    }
  }

  /// Profiles three steps on a device, after three warm-up steps that build the kernels and the plans.
  public func profile(on device: ComputeDevice) throws -> Profile {
    try withDevice(device) {
      let training = try training()
      let batch = try training.batch(batchSize)
      for _ in 0..<3 { _ = try training.step(batch).scalar() }
      return try Profile.record(on: device) {
        for _ in 0..<3 { _ = try training.step(batch).scalar() }
      }.profile
    }
  }

  /// Returns the time of the first step with a new batch size minus the time of the second step with the same batch
  /// size, in milliseconds: the median over three batch sizes, or 0 if the median is negative.
  private func otherBatch(_ training: Training) throws -> Double {
    let differences = try [7, 6, 5].map { eighths in
      let batch = try training.batch(max(1, batchSize * eighths / 8))
      let times = try (0..<2).map { _ in
        try ContinuousClock().measure { _ = try training.step(batch).scalar() } / .milliseconds(1)
      }
      return times[0] - times[1]
    }
    return max(0, differences.sorted()[1])
  }

  /// The functions that train a new model: one makes batches, the other runs steps.
  public struct Training {
    /// The inputs, `[count, channels, height, width]` for images or `[count, length]` for texts, and the targets, which
    /// are class indices: one for each image or text, or one for each token if the model predicts tokens.
    public typealias Batch = (inputs: Tensor, targets: Tensor)

    /// Returns a batch of random examples of the given size.
    public let batch: (Int) throws -> Batch
    /// Each call runs the next step and returns its loss.
    public let step: (Batch) throws -> Tensor
  }

  /// Creates a new model and its optimizer, and returns the functions that train the model.
  public func training() throws -> Training {
    let (model, objective, examples, classes) = try withRandomKey(RandomKey(seed: 1)) { try network() }
    let optimizer = Optimizer(rule(), for: model, precision: precision)
    var key = RandomKey(seed: 2)
    func indices(_ shape: Shape, below bound: Int) -> Tensor {
      Tensor.uniform(shape, upper: Double(bound), key: &key).cast(to: .int32)
    }
    func batch(_ count: Int) throws -> Training.Batch {
      let inputs: Tensor
      var targetShape: Shape = [count]
      switch examples {
      case .images(let size): inputs = Tensor.normal(Shape([count] + size), key: &key)
      case .texts(let length, let hasTargetPerToken):
        inputs = indices([count, length], below: TrainingStep.vocabularySize)
        if hasTargetPerToken { targetShape.append(length) }
      }
      let targets = indices(targetShape, below: classes)
      try eval([inputs, targets])
      return (inputs, targets)
    }
    let step = CompiledStep(optimizer) { objective.losses(model($0[0]), $0[1]).mean() }
    return Training(
      batch: batch,
      step: { batch in try withMode(.training) { try step([batch.inputs, batch.targets]) } })
  }

  /// The examples of a model: images of a given size, or texts of a given length. A text has one target for each token,
  /// or one target for the whole text.
  private enum Examples {
    case images([Int])
    case texts(length: Int, hasTargetPerToken: Bool)
  }

  private func network() throws -> (model: any Layer, objective: Objective, examples: Examples, classes: Int) {
    let name: String
    switch model {
    case .images(let size, let classes, let make): return (try make(), .classification, .images(size), classes)
    case .named(let known): name = known
    }
    let count = TrainingStep.vocabularySize
    switch try ModelDescription.find(name).kind {
    case .images(let network): return (try network.model(), .classification, .images(network.inputSize), 10)
    case .language(var network):
      // char-lstm has dropout; its workload has none.
      network.dropout = 0
      let model = try network.languageModel(vocabulary: count)
      return (model, .tokens, .texts(length: network.sequenceLength, hasTargetPerToken: true), count)
    case .texts(let network):
      let model = try network.classifier(vocabulary: count, classes: 10)
      return (model, .classification, .texts(length: network.sequenceLength, hasTargetPerToken: false), 10)
    }
  }

  /// The peak memory of the workload, in bytes. For the device `cpu`: the peak resident memory of the process minus
  /// `before`, its resident memory before the workload; `nil` if the system does not provide them. For other devices:
  /// the peak of the memory allocated on the device.
  private func peak(of device: ComputeDevice, before: Int?) -> Int? {
    guard device.info.kind == .cpu else { return device.memory.peak }
    guard let before, let peak = ProcessStatistics.peakByteCount else { return nil }
    return peak - before
  }
}
