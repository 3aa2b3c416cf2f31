import Apus
import ApusFiles

enum ErrorsCommand: Command {
  static let name = "errors"
  static let summary = "list what a classifier gets wrong, and count what one finds in it"
  static let run = StoredModel.argument
  static let data = EvaluateCommand.data
  static let device = RunOptions.device
  static let output = Option("output", .file, help: "write all errors as a CSV sheet, with columns for tags")
  static let tags = Option("tags", .file, help: "count the tags of such a sheet that was filled in")
  static let count = Option("count", .count, help: "how many errors are listed, the worst first (default: 20)")
  static let json = Flag("json", help: "print one JSON object for each listed error, then one for all")
  static let declarations = [
    run.declaration, data.declaration, device.declaration, output.declaration, tags.declaration, count.declaration,
    json.declaration,
  ]
  static let discussion = """
    Look at a hundred errors, and write into the tag columns what makes each hard: "blurry", "wrong label", one's own
    words, several with semicolons between. Columns may be added: any mark in one tags the row with its title. Rows
    without a tag or comment count as not looked at. --tags then says for each tag which share of the errors has it, and
    which accuracy could at most be reached by work on these: the ceiling.
    """

  static func run(_ arguments: Arguments) throws {
    let stored = try StoredModel(path: arguments[run]!, command: name)
    guard stored.format.isClassifier else {
      throw UsageError(
        command: name, message: "\(stored.settings.model.name) is \(stored.format.modelName); try apus evaluate")
    }
    // Files are looked at before the model runs.
    let sheet = try arguments[tags].map { try ErrorSheet(path: $0) }
    if let path = arguments[output] { try checkUnused(path) }
    let source = arguments[data] ?? stored.settings.data
    let device = try ComputeDevice.chosen(by: arguments[device])
    let analysis = try withDevice(device) {
      let (model, data) = (try stored.load(), try stored.data(of: source))
      let predictions = try predict(
        model, on: data.test, objective: stored.format.objective,
        batchSize: stored.settings.batchSize.count ?? data.test.count)
      return ErrorAnalysis(
        of: try predictions.classification(), losses: predictions.losses, names: data.names,
        classNames: data.format.classNames)
    }
    if let path = arguments[output] { try ErrorSheet.write(analysis, to: path) }
    let counts = sheet.map { TagCounts($0, of: analysis) }
    if let counts, counts.unmatchedCount > 0 {
      Diagnostics.write(
        "\(arguments[tags] ?? ""): \(counts.unmatchedCount) rows are of examples that this model has right, or that have "
          + "another class in \(source); they are left out")
    }
    let report = ErrorReport(
      analysis: analysis, counts: counts, sheet: arguments[output], stored: stored, source: source, device: device,
      listed: arguments[count] ?? 20)
    try arguments[json] ? report.writeJSON() : report.write()
  }

  /// Refuses to write over a sheet that someone has filled in, or a file that is no sheet.
  private static func checkUnused(_ path: String) throws {
    guard FileSystem.exists(path) else { return }
    if let old = try? ErrorSheet(path: path), !old.rows.contains(where: \.isExamined) { return }
    throw UsageError(
      command: name, message: "--output \(path): there is a file with other content; take another name")
  }
}

private struct ErrorReport {
  let analysis: ErrorAnalysis
  let counts: TagCounts?
  let sheet: String?
  let stored: StoredModel
  let source: String
  let device: ComputeDevice
  let listed: Int

  private static let confusionLimit = 10
  /// A text of any length may be the name of an example.
  private static let nameLimit = 60

  private var entries: ArraySlice<ErrorAnalysis.Entry> { analysis.entries.prefix(listed) }

  func write() throws {
    var rows = [
      ("model", "\(stored.settings.model.name) on \(device.name)"), ("checkpoint", stored.checkpoint.path),
      ("data", "\(analysis.count.grouped) test \(stored.format.examplesName) of \(source)"),
      ("errors", "\(analysis.entries.count.grouped), accuracy \(analysis.accuracy.text(places: 4))"),
    ]
    if let sheet { rows.append(("sheet", sheet)) }
    var sections = [Help.rows(rows)]
    if let counts { sections.append(text(counts)) }
    if !entries.isEmpty {
      var table = Table("EXAMPLE", "TRUE", "PREDICTED", "PROBABILITY", "LOSS", "NAME")
      for entry in entries {
        let name = entry.name.count > Self.nameLimit ? entry.name.prefix(Self.nameLimit) + "…" : entry.name
        table.append(
          String(entry.example), entry.truth, entry.predicted, entry.probability?.text(places: 4) ?? "",
          entry.loss.text(places: 4), name)
      }
      var pairs = Table("TRUE", "PREDICTED", "ERRORS")
      for pair in analysis.confusions.prefix(Self.confusionLimit) {
        pairs.append(pair.truth, pair.predicted, pair.count.grouped)
      }
      sections += [table.text, pairs.text]
    }
    try StandardOutput.write(line: sections.joined(separator: "\n\n"))
  }

  private func text(_ counts: TagCounts) -> String {
    var table = Table("TAG", "ERRORS", "SHARE", "ACCURACY IF FIXED", "CEILING")
    for tag in counts.tags {
      table.append(
        tag.name, tag.count.grouped, (100 * tag.share).text(places: 1) + " %", tag.fixedAccuracy.text(places: 4),
        tag.ceiling.text(places: 4))
    }
    let examined = "\(counts.examinedCount.grouped) of \(counts.errorCount.grouped) errors were looked at"
    return counts.tags.isEmpty ? examined + "; none has a tag" : table.text + "\n" + examined
  }

  func writeJSON() throws {
    for entry in entries {
      var line: JSONObject = [
        "example": .integer(entry.example), "name": .string(entry.name), "true": .string(entry.truth),
        "predicted": .string(entry.predicted),
      ]
      line["probability"] = entry.probability.map { .number($0) }
      line["loss"] = .number(entry.loss)
      try StandardOutput.write(.object(line))
    }
    var line: JSONObject = [
      "model": .string(stored.settings.model.name), "device": .string(device.name), "data": .string(source),
      "examples": .integer(analysis.count), "errors": .integer(analysis.entries.count),
      "test_accuracy": .number(analysis.accuracy),
    ]
    line["confusions"] = .array(
      analysis.confusions.prefix(Self.confusionLimit).map {
        ["true": .string($0.truth), "predicted": .string($0.predicted), "errors": .integer($0.count)]
      })
    line["tags"] = counts?.json
    line["output"] = sheet.map { .string($0) }
    line["checkpoint"] = .string(stored.checkpoint.path)
    try StandardOutput.write(.object(line))
  }
}
