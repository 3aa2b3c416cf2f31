import Apus

/// The options of tables. Each is also a key of configurations, like the options of `RunOptions`.
enum TableFileOptions {
  static let target = Option(
    "target", .text("COLUMN"), help: "the column of a table to predict (default: the last)")
  static let ignored = Option(
    "ignore-columns", .list("COLUMN"),
    help: "columns of a table to leave out, such as row numbers, separated by commas")
  static let noHeader = Flag(
    "no-header",
    help: "the first line of a table is a row, not a header: columns are called \"column 1\", \"column 2\", …")
  static let task = Option(
    "task", .choice("KIND", of: ["classification", "regression"]),
    help: "whether a table's target is a class or a number (default: words and few distinct integers are classes)")
  static let scaling = Option(
    "scaling", .choice("KIND", of: TableEncoding.Scaling.allCases.map(\.rawValue)),
    help: "scale numbers of a table to mean 0 and deviation 1, to the range 0 to 1, or not at all (default: standard)")
  static let missing = Option(
    "missing", .choice("KIND", of: TableEncoding.Imputation.allCases.map(\.rawValue)),
    help: "replace missing numbers of a table by the column's mean or median (default: mean)")
  static let missingIndicators = Flag(
    "missing-indicators",
    help: "add a feature for each column of a table with missing numbers, which marks their rows")
  static let categories = Option(
    "categories", .choice("KIND", of: TableEncoding.Categories.allCases.map(\.rawValue)),
    help: "a feature for each category of a table's columns, or codes for an embedding layer (default: one-hot)")

  /// All options, in the order in which they are listed and stored.
  static let declarations = [
    target.declaration, ignored.declaration, noHeader.declaration, task.declaration, scaling.declaration,
    missing.declaration, missingIndicators.declaration,
    categories.declaration,
  ]
}

/// The target of a table, and how its columns become features.
struct TableSettings: Hashable, Sendable {
  var task: TableTask
  /// How the file is read.
  var reading: TableOptions
  var encoding: TableEncoding

  /// The settings for a source; `nil` if it is not a table.
  /// - Throws: when options of tables are given for other data, or options of images for a table.
  static func chosen(by arguments: Arguments, for source: String, command: String) throws -> TableSettings? {
    let given = TableFileOptions.declarations.first { arguments.contains($0) }
    guard (try? DatasetDescription.find(source))?.description.isTable == true else {
      guard let given else { return nil }
      // An unknown source is reported first.
      let found = try DatasetDescription.find(source).description
      throw UsageError(command: command, message: "--\(given.name) is for tables, \(source) is \(found.contentName)")
    }
    if let image = ImageOptions.declarations.first(where: { arguments.contains($0) }) {
      throw UsageError(command: command, message: "--\(image.name) is for images, \(source) is a table")
    }
    guard arguments[DataOptions.testShare] != 0 else {
      throw UsageError(command: command, message: "--test-share 0: a table has no other rows to test with")
    }
    var encoding = TableEncoding()
    encoding.scaling = arguments[TableFileOptions.scaling].flatMap(TableEncoding.Scaling.init) ?? .standard
    encoding.imputation = arguments[TableFileOptions.missing].flatMap(TableEncoding.Imputation.init) ?? .mean
    encoding.indicatesMissing = arguments[TableFileOptions.missingIndicators]
    encoding.categories = arguments[TableFileOptions.categories].flatMap(TableEncoding.Categories.init) ?? .oneHot
    var reading = TableOptions()
    reading.hasHeader = !arguments[TableFileOptions.noHeader]
    reading.ignored = Set(arguments[TableFileOptions.ignored] ?? [])
    return TableSettings(
      task: TableTask(
        target: arguments[TableFileOptions.target],
        kind: arguments[TableFileOptions.task].flatMap(TableTask.Kind.init)),
      reading: reading, encoding: encoding)
  }
}

extension JSONObject {
  /// Adds the members for settings that differ from the defaults.
  mutating func set(_ table: TableSettings) {
    self["target"] = table.task.target.map { .string($0) }
    if !table.reading.ignored.isEmpty {
      self["ignore_columns"] = .string(table.reading.ignored.sorted().joined(separator: ","))
    }
    if !table.reading.hasHeader { self["no_header"] = true }
    self["task"] = table.task.kind.map { .string($0.rawValue) }
    let (encoding, usual) = (table.encoding, TableEncoding())
    if encoding.scaling != usual.scaling { self["scaling"] = .string(encoding.scaling.rawValue) }
    if encoding.imputation != usual.imputation { self["missing"] = .string(encoding.imputation.rawValue) }
    if encoding.indicatesMissing { self["missing_indicators"] = true }
    if encoding.categories != usual.categories { self["categories"] = .string(encoding.categories.rawValue) }
  }
}
