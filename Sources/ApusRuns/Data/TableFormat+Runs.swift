import Apus
import ApusSystem

extension TableFormat: DataFormat {
  public static var key: String { "table" }

  public static func serves(_ settings: RunSettings) -> Bool {
    if case .images = settings.model.kind { settings.isTable } else { false }
  }

  /// Reads the table if the settings do not say whether the task is classification or regression.
  public static func predictsNumbers(_ settings: RunSettings) throws -> Bool {
    if let kind = settings.table.task.kind { return kind == .regression }
    let (_, data) = try TableFormat.learning(settings, settings.imageNetwork())
    if case .numbers = data.targets { return true }
    return false
  }

  public var outputs: ModelOutputs {
    switch task {
    case .classes(let names): .classes(names)
    case .numbers(let mean, let deviation): .number(target: target, mean: mean, deviation: deviation)
    }
  }

  public var examplesName: String { "rows" }
  public var summary: String { "rows of \(encoder.width) features, target \(target.quoted())" }

  public func input(_ settings: RunSettings) -> ModelSummary.Input { ModelSummary.Input([encoder.width]) }

  public static func load(
    _ settings: RunSettings, tokenizer: (any Tokenizer)?,
    willLoad: (_ format: any DataFormat, _ count: Int) throws -> Void
  ) throws -> LearningTask {
    let (table, data) = try TableFormat.learning(settings, settings.imageNetwork())
    let split = data.split
    try willLoad(table, split.train.count)
    for note in data.features.notes { Diagnostics.write("note: \(note)") }
    var task = LearningTask(
      format: table, train: try table.examples(data, split.train), test: try table.examples(data, split.test),
      validation: split.validation.isEmpty ? nil : try table.examples(data, split.validation))
    if case .classes(let classes, _) = data.targets { task.labels = split.train.map { classes[Int($0)] } }
    return task
  }

  /// The number of outputs: the value of `--classes`, else one for each class, or one for a predicted number.
  private func outputCount(_ settings: RunSettings) -> Int { settings.classes ?? max(1, classNames.count) }

  public func model(_ settings: RunSettings) throws -> any Layer {
    try settings.imageNetwork().tableModel(width: encoder.width, codes: codes, outputs: outputCount(settings))
  }

  public func checkMemory(_ settings: RunSettings, rule: any UpdateRule) throws {
    try settings.imageNetwork().checkTableMemory(
      width: encoder.width, codes: codes, outputs: outputCount(settings), rule: rule)
  }

  public func plannedExamples(
    _ count: Int, _ settings: RunSettings, upload: PlannedExamples.Upload
  ) -> (inputs: Tensor, targets: Tensor) {
    let inputs = upload([count, encoder.width], .float32)
    return isClassifier ? (inputs, upload([count], .int32)) : (inputs, upload([count, 1], .float32))
  }

  public func examples(_ request: DataRequest, _ settings: RunSettings) throws -> MeasuredData {
    let data = try data(of: request.source, settings, isWhole: request.part == .all)
    let split = data.split
    let (part, rows) = try request.choose { part in
      switch part {
      case .train: split.train
      case .validation: split.validation.isEmpty ? nil : split.validation
      case .test: split.test
      case .all: (0..<Int32(data.features.rowCount)).map { $0 }
      }
    }
    return MeasuredData(
      source: request.source, part: part, examples: try examples(data, rows),
      names: rows.map { "line \(data.features.line(of: Int($0)))" }, format: self, table: (data.features, rows))
  }

  public func predict(
    _ files: [String], _ settings: RunSettings, threshold: Double?, model: () throws -> any Layer,
    _ body: (FilePrediction) throws -> Void
  ) throws {
    let tables = try files.map { file in
      let table = try encoder.table(
        path: file, options: settings.table.reading, target: target, holding: targetKind, needsTarget: false)
      return (file, table)
    }
    let model = try model()
    for (file, table) in tables {
      let runner = ModelRunner(model: model, count: table.rowCount) { rows in
        Tensor(try encoder.encode(table, rows: rows), shape: [rows.count, encoder.width])
      }
      if isClassifier {
        try runner.predictClasses(threshold: threshold) { prediction in
          try body(
            FilePrediction(
              (file, prediction.index), line: table.line(of: prediction.index), prediction,
              name: className(prediction.label)))
        }
      } else {
        try runner.runBatches { index, outputs in
          guard let output = outputs.first, output.isFinite else { throw ModelError.notFinite }
          try body(FilePrediction((file, index), line: table.line(of: index), value: value(output)))
        }
      }
    }
  }
}
