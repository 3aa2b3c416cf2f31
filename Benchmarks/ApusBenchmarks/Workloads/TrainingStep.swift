import Apus
import Synchronization

/// A training step on random data: forward, backward, update; the loss is read back one step late.
public struct TrainingStep: Workload {
  public let name: String
  private let model: String
  private let batchSize: Int
  private let rule: @Sendable () -> any UpdateRule

  /// The workloads whose models there are.
  public static let all = [
    TrainingStep(name: "mlp-b128-adam", model: "mlp", batchSize: 128) { Adam(learningRate: 1e-3) },
    TrainingStep(name: "lenet5-b128-sgd", model: "lenet5", batchSize: 128) {
      SGD(learningRate: 1e-2, momentum: 0.9)
    },
  ]

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
    let model = try withRandomKey(RandomKey(seed: 1)) { try description.model() }
    let optimizer = Optimizer(rule(), for: model)
    var key = RandomKey(seed: 2)
    let images = Tensor.normal(Shape([batchSize] + description.inputSize), key: &key)
    let labels = Tensor.uniform([batchSize], upper: 10, key: &key).cast(to: .int64)
    try eval([images, labels])
    return { try withMode(.training) { try optimizer.minimize { crossEntropy(model(images), labels) } } }
  }

  /// Bytes that the workload took: of a device with memory of its own what it held, else what the process grew by.
  private func peak(of device: ComputeDevice, before: Int?) -> Int? {
    guard device.info.kind == .cpu else { return device.memory.peak }
    guard let before, let peak = ProcessStatistics.peakByteCount else { return nil }
    return peak - before
  }
}
