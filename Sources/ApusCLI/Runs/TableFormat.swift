import Apus
import ApusFiles

/// What a model has to know of the table it was trained with, to take others: kept in checkpoints.
struct TableFormat: Hashable, Sendable {
  /// What is predicted.
  enum Task: Hashable, Sendable {
    /// The classes' names, by number.
    case classes([String])
    /// Numbers, which the model gives as `(x − mean) / deviation`, by those of the training rows. All that is reported,
    /// losses and errors, is in the target's own units.
    case numbers(mean: Double, deviation: Double)
  }

  /// Fitted on the training rows.
  var encoder: TableEncoder
  /// The column that is predicted.
  var target: String
  var task: Task

  var json: JSON {
    var object: JSONObject = ["target": .string(target), "columns": encoder.json]
    switch task {
    case .classes(let names):
      object["task"] = .string(TableTask.Kind.classification.rawValue)
      object["classes"] = .array(names.map { .string($0) })
    case .numbers(let mean, let deviation):
      object["task"] = .string(TableTask.Kind.regression.rawValue)
      object["mean"] = .number(mean)
      object["standard_deviation"] = .number(deviation)
    }
    return .object(object)
  }

  init(encoder: TableEncoder, target: String, task: Task) {
    self.encoder = encoder
    self.target = target
    self.task = task
  }

  /// - Returns: `nil` when something is missing or does not fit together.
  init?(_ json: JSON?) {
    guard let encoder = TableEncoder(json?["columns"]), let target = json?["target"]?.string else { return nil }
    switch json?["task"]?.string.flatMap(TableTask.Kind.init) {
    case .classification:
      guard let list = json?["classes"]?.array, list.count > 1, list.allSatisfy({ $0.string != nil }) else {
        return nil
      }
      let names = list.compactMap(\.string)
      task = .classes(names)
    case .regression:
      guard let mean = json?["mean"]?.number, let deviation = json?["standard_deviation"]?.number, mean.isFinite,
        deviation.isFinite, deviation > 0
      else { return nil }
      task = .numbers(mean: mean, deviation: deviation)
    case nil: return nil
    }
    self.encoder = encoder
    self.target = target
  }

  /// The classes' names; none where numbers are predicted.
  var classNames: [String] { if case .classes(let names) = task { names } else { [] } }

  /// The number of outputs that a model has.
  var outputCount: Int { if case .classes(let names) = task { names.count } else { 1 } }

  /// What is predicted of a table.
  var kind: TableTask.Kind { if case .classes = task { .classification } else { .regression } }

  /// What the target's column holds.
  var targetKind: Apus.Table.Kind {
    classNames.allSatisfy { Double($0) != nil } ? .numeric : .categorical
  }

  /// The features that hold codes.
  var codes: [TableEmbedding.Code] { encoder.codes.map { TableEmbedding.Code(feature: $0.feature, count: $0.count) } }

  /// A number that the model gave, in the target's own units.
  func value(_ output: Float) -> Double {
    guard case .numbers(let mean, let deviation) = task else { return Double(output) }
    return Double(output) * deviation + mean
  }
}

extension TableFormat {
  /// The table of a run, and its format.
  static func learning(
    _ settings: RunSettings, _ table: TableSettings, _ network: ImageNetwork
  ) throws -> (TableFormat, TableDataset) {
    try network.checkTakesTables()
    let split = settings.dataSettings.split
    let data = try TableDataset.load(settings.data, options: table.reading, task: table.task, split: split)
      .learning(from: settings.dataSettings.trainCount, seed: split.seed)
    let task: Task
    switch data.targets {
    case .classes(_, let names): task = .classes(names)
    case .numbers:
      if let option = settings.classOption {
        throw UsageError(
          command: settings.command,
          message: "--\(option) is for classes, the target \(data.target.quoted()) holds numbers")
      }
      let statistics = data.targetStatistics ?? (0, 1)
      task = .numbers(mean: statistics.mean, deviation: statistics.standardDeviation)
    }
    let encoder = try TableEncoder(fitting: data.features, rows: data.split.train, table.encoding)
    return (TableFormat(encoder: encoder, target: data.target, task: task), data)
  }

  /// Rows as the model is given them.
  func examples(_ data: TableDataset, _ rows: [Int32]) throws(DataError) -> LoadedTable {
    var data = data
    if case .numbers(let numbers) = data.targets, case .numbers(let mean, let deviation) = task {
      data = data.replacingTargets(.numbers(numbers.map { ($0 - mean) / deviation }))
    }
    return try LoadedTable(data, rows: rows, encoder: encoder)
  }

  /// The table of another source.
  /// - Parameter isWhole: whether no rows are held out.
  func data(of source: String, _ settings: RunSettings, isWhole: Bool) throws(DataError) -> TableDataset {
    let split = settings.dataSettings.split
    var data = try TableDataset.load(
      source, options: settings.table?.reading ?? TableOptions(), encoder: encoder,
      task: TableTask(target: target, kind: kind), targetKind: targetKind,
      split: isWhole ? SplitOptions(test: 0) : split)
    if !isWhole { data = data.learning(from: settings.dataSettings.trainCount, seed: split.seed) }
    guard case .classes(let labels, let names) = data.targets, names != classNames else { return data }
    let numbers = try numbers(of: names, classNames, source)
    return data.replacingTargets(.classes(labels.map { numbers[Int($0)] }, names: classNames))
  }
}

extension RunSettings {
  /// The first option that is given and for classes alone.
  fileprivate var classOption: String? {
    let given = [
      (DataOptions.classWeights.declaration, dataSettings.classWeights != .none),
      (DataOptions.sampling.declaration, dataSettings.sampling != .shuffled),
      (DataOptions.labelSmoothing.declaration, dataSettings.labelSmoothing != 0),
      (RunOptions.classes.declaration, classes != nil),
    ]
    return given.first(where: \.1)?.0.name
  }
}
