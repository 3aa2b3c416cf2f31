import Apus

/// A run whose steps are planned without its data, to determine the device memory that the run needs.
package struct PlannedTraining {
  private let settings: RunSettings
  private let objective: Objective
  private let testObjective: Objective?
  private let makeModel: (any UpdateRule) throws -> any Layer
  private let makeExamples:
    @Sendable (_ count: Int, _ upload: PlannedExamples.Upload) -> (inputs: Tensor, targets: Tensor)

  /// A run on data of the given format.
  package init(_ settings: RunSettings, _ format: any DataFormat) {
    self.settings = settings
    let classes = format.classNames.count
    objective =
      format.isClassifier && settings.dataSettings.changesObjective
      ? settings.dataSettings.objective(labels: (0..<classes).map { Int32($0) }, classCount: classes) : format.objective
    testObjective = settings.dataSettings.changesObjective ? format.objective : nil
    makeModel = { try settings.makeModel(for: format, rule: $0) }
    makeExamples = { format.plannedExamples($0, settings, upload: $1) }
  }

  /// A run without a data format.
  /// - Parameters:
  ///   - input: the extents of an example, without the batch axis, and its element type.
  ///   - model: builds the model.
  package init(_ settings: RunSettings, input: ModelSummary.Input, model: @escaping () throws -> any Layer) {
    self.settings = settings
    let isLanguage = if case .language = settings.model.kind { true } else { false }
    (objective, testObjective) = (isLanguage ? .tokens : .classification, nil)
    makeModel = { _ in try model() }
    let length = isLanguage ? input.extents : []
    makeExamples = { ($1(Shape([$0] + input.extents), input.dtype), $1(Shape([$0] + length), .int32)) }
  }

  /// The device memory that training needs, found by planning three steps.
  package func memory(batchSize: Int, on device: ComputeDevice) throws -> TrainingMemory {
    try TrainingMemory(on: device) {
      let rule = try settings.updateRule()
      let model = try makeModel(rule)
      return try settings.trainer(
        model, rule, on: PlannedExamples(count: batchSize, makeExamples), objective: objective,
        testObjective: testObjective, observers: settings.earlyStop?.measure == .gradientNorm ? [NormReader()] : []
      ) { options in
        options.length = .steps(3)
        options.batchSize = batchSize
        options.schedule = ConstantSchedule()
        options.detectsAnomalies = false
      }
    }
  }

  /// Throws if the run does not fit in the memory of a device.
  /// - Returns: the memory that the run needs.
  package func check(batchSize: Int, on device: ComputeDevice) throws -> TrainingMemory {
    try MemoryLimit(of: device).check(batchSize: batchSize, on: device.name) { try memory(batchSize: $0, on: device) }
  }
}

/// Makes the planned steps compute the norm of the gradients, which early stopping by this norm needs.
private final class NormReader: TrainingObserver {
  var needsGradientNorm: Bool { true }
}
