import Apus
import ApusSystem

/// The format of the table that a model was trained on. Checkpoints store it, so that other tables are encoded in the
/// same way.
public struct TableFormat: Hashable, Sendable {
  /// The predicted quantity.
  package enum Task: Hashable, Sendable {
    /// The names of the classes, by index.
    case classes([String])
    /// Numbers `x`, which the model outputs as `(x − mean) / deviation` with the statistics of the training rows.
    /// Reported errors are in the target's own units, and losses in the square of these units.
    case numbers(mean: Double, deviation: Double)
  }

  /// The encoder of features, fitted on the training rows.
  var encoder: TableEncoder
  /// The name of the target column.
  package var target: String
  package var task: Task

  public var json: JSON {
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

  package init(encoder: TableEncoder, target: String, task: Task) {
    self.encoder = encoder
    self.target = target
    self.task = task
  }

  /// - Returns: `nil` when a member is missing or inconsistent.
  public init?(_ json: JSON?) {
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

  /// Whether classes or numbers are predicted.
  package var kind: TableTask.Kind { if case .classes = task { .classification } else { .regression } }

  /// The kind of values in the target column: categorical if the name of at least one class is not a number,
  /// else numeric.
  var targetKind: Table.Kind {
    classNames.allSatisfy { Double($0) != nil } ? .numeric : .categorical
  }

  /// The features that contain category codes.
  package var codes: [TableEmbedding.Code] {
    encoder.codes.map { TableEmbedding.Code(feature: $0.feature, count: $0.count) }
  }

  /// An output of the model, in the target's own units.
  package func value(_ output: Float) -> Double {
    guard case .numbers(let mean, let deviation) = task else { return Double(output) }
    return Double(output) * deviation + mean
  }
}

extension TableFormat {
  /// Reads the table of a run. Returns its format, which is fitted on the training rows, and the table.
  package static func learning(
    _ settings: RunSettings, _ network: ImageNetwork
  ) throws -> (TableFormat, TableDataset) {
    try network.checkTakesTables()
    let split = settings.dataSettings.split
    let data = try TableDataset.load(
      settings.data, options: settings.table.reading, task: settings.table.task, split: split
    )
    .limitingTraining(to: settings.dataSettings.trainCount, seed: split.seed)
    let task: Task
    switch data.targets {
    case .classes(_, let names): task = .classes(names)
    case .numbers:
      if let option = settings.classOption {
        throw OptionError("--\(option) is for classes, but the target \(data.target.quoted()) holds numbers")
      }
      let statistics = data.targetStatistics ?? (0, 1)
      task = .numbers(mean: statistics.mean, deviation: statistics.standardDeviation)
    }
    let encoder = try TableEncoder(fitting: data.features, rows: data.split.train, settings.table.encoding)
    return (TableFormat(encoder: encoder, target: data.target, task: task), data)
  }

  /// The inputs and targets of the model for some rows.
  package func examples(_ data: TableDataset, _ rows: [Int32]) throws(DataError) -> LoadedTable {
    var data = data
    if case .numbers(let numbers) = data.targets, case .numbers(let mean, let deviation) = task {
      data = data.replacingTargets(.numbers(numbers.map { ($0 - mean) / deviation }))
    }
    return try LoadedTable(data, rows: rows, encoder: encoder)
  }

  /// The table of a source; its labels are the model's class indices.
  /// - Parameter isWhole: whether no rows are held out for tests.
  package func data(of source: String, _ settings: RunSettings, isWhole: Bool) throws(DataError) -> TableDataset {
    let split = settings.dataSettings.split
    var data = try TableDataset.load(
      source, options: settings.table.reading, encoder: encoder,
      task: TableTask(target: target, kind: kind), targetKind: targetKind,
      split: isWhole ? SplitOptions(test: 0) : split)
    if !isWhole { data = data.limitingTraining(to: settings.dataSettings.trainCount, seed: split.seed) }
    guard case .classes(let labels, let names) = data.targets, names != classNames else { return data }
    let numbers = try numbers(of: names, classNames, source)
    return data.replacingTargets(.classes(labels.map { numbers[Int($0)] }, names: classNames))
  }
}

extension RunSettings {
  /// The name of the first option that is set although it requires a target with classes; `nil` if none is set.
  fileprivate var classOption: String? {
    let given = [
      ("class-weights", dataSettings.classWeights != .none), ("sampling", dataSettings.sampling != .shuffled),
      ("label-smoothing", dataSettings.labelSmoothing != 0), ("classes", classes != nil),
    ]
    return given.first(where: \.1)?.0
  }
}
