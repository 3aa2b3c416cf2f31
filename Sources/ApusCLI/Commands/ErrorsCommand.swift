import Apus
import ApusRuns
import ApusSystem

enum ErrorsCommand: Command {
  static let name = "errors"
  static let summary = "list the misclassified examples of a classifier, and count the tags that you gave them"
  static let run = Argument.run
  static let data = EvaluateCommand.data
  static let part = EvaluateCommand.part
  static let threshold = EvaluateCommand.threshold
  static let device = RunOptions.device
  static let output = Option(
    "output", .file, help: "write all misclassified examples to a CSV file with columns for tags")
  static let tags = Option("tags", .file, help: "count the tags in a file of --output, after you filled them in")
  static let count = Option(
    "count", .count, help: "the number of misclassified examples to list, largest losses first (default: 20)")
  static let json = Flag("json", help: "print one JSON object for each listed example, then one for all")
  static let declarations = [
    run.declaration, data.declaration, part.declaration, device.declaration, threshold.declaration, output.declaration,
    tags.declaration, count.declaration, json.declaration,
  ]
  static let discussion = """
    Examine about a hundred misclassified examples, and write into the tag columns why each of them is hard: "blurry",
    "wrong label" or your own tags, separated by semicolons. You can also add a column for a tag: its title is the tag,
    and any mark in a row gives the row this tag. Rows without a tag or comment count as not examined. --tags then
    prints for each tag the fraction of the examined examples that have it, the accuracy if these examples were
    classified correctly, and the accuracy if all errors with the tag were corrected (ceiling). The ceiling assumes that
    the tag is as frequent among all errors as among the examined ones.
    """

  static func run(_ arguments: Arguments) throws {
    let stored = try Run(at: arguments[run]!)
    // The files are checked first, because the model may run for a long time.
    try stored.checkHasErrors()
    let sheet = try arguments[tags].map { try ErrorSheet(path: $0) }
    if let path = arguments[output] { try checkUnused(path) }
    let device = try ComputeDevice.chosen(by: arguments[device])
    let errors = try withDevice(device) {
      try stored.errors(data: arguments[data], part: arguments[part], threshold: arguments[threshold])
    }
    errors.skipped.report()
    if let path = arguments[output] { try ErrorSheet.write(errors.analysis, to: path) }
    let counts = sheet.map { TagCounts($0, of: errors.analysis) }
    if let counts, counts.unmatchedCount > 0 {
      Diagnostics.write(
        "\(arguments[tags] ?? ""): left out \(counts.unmatchedCount.text(of: "row")): this model classifies the "
          + "example correctly, or the example has another class in \(errors.source)")
    }
    let report = ErrorReport(
      errors: errors, counts: counts, sheet: arguments[output], stored: stored, device: device,
      threshold: arguments[threshold], listed: arguments[count] ?? 20)
    try arguments[json] ? report.writeJSON() : report.write()
  }

  /// Refuses to overwrite a sheet that someone has filled in, or a file that is not a sheet.
  private static func checkUnused(_ path: String) throws {
    guard FileSystem.exists(path) else { return }
    if let old = try? ErrorSheet(path: path), !old.rows.contains(where: \.isExamined) { return }
    throw OptionError("--output \(path): there is a file with other content; use another name")
  }
}

private struct ErrorReport {
  let errors: RunErrors
  let counts: TagCounts?
  let sheet: String?
  let stored: Run
  let device: ComputeDevice
  let threshold: Double?
  let listed: Int

  private static let confusionLimit = 10
  /// The maximum displayed length of a name: the name of an example may be a text of any length.
  private static let nameLimit = 60

  private var analysis: ErrorAnalysis { errors.analysis }
  private var entries: ArraySlice<ErrorAnalysis.Entry> { analysis.entries.prefix(listed) }

  func write() throws {
    var rows = [
      ("model", "\(stored.settings.model.name) on \(device.name)"), ("checkpoint", stored.checkpoint.path),
      ("data", "\(errors.part.examples(analysis.count, stored.format.examplesName)) of \(errors.source)"),
    ]
    rows += errors.skipped.rows
    rows.append(("errors", "\(analysis.entries.count.grouped), accuracy \(analysis.accuracy.text(places: 4))"))
    if let sheet { rows.append(("sheet", sheet)) }
    var sections = [Help.rows(rows)]
    if let counts { sections.append(text(counts)) }
    if !entries.isEmpty {
      var table = TextTable("EXAMPLE", "TRUE", "PREDICTED", "PROBABILITY", "LOSS", "NAME")
      for entry in entries {
        let name = entry.name.count > Self.nameLimit ? entry.name.prefix(Self.nameLimit) + "…" : entry.name
        table.append(
          String(entry.example), entry.truth, entry.predicted, entry.probability?.text(places: 4) ?? "",
          entry.loss.text(places: 4), name)
      }
      var pairs = TextTable("TRUE", "PREDICTED", "ERRORS")
      for pair in analysis.confusions.prefix(Self.confusionLimit) {
        pairs.append(pair.truth, pair.predicted, pair.count.grouped)
      }
      sections += [table.text, pairs.text]
    }
    try StandardOutput.write(line: sections.joined(separator: "\n\n"))
  }

  private func text(_ counts: TagCounts) -> String {
    var table = TextTable("TAG", "ERRORS", "SHARE", "ACCURACY IF FIXED", "CEILING")
    for tag in counts.tags {
      table.append(
        tag.name, tag.count.grouped, tag.share.percent(places: 1), tag.fixedAccuracy.text(places: 4),
        tag.ceiling.text(places: 4))
    }
    let examined =
      "\(counts.examinedCount.grouped) of \(counts.errorCount.grouped) misclassified examples were examined"
    return counts.tags.isEmpty ? examined + "; none has a tag" : table.text + "\n" + examined
  }

  func writeJSON() throws {
    for entry in entries {
      var line: JSONObject = [
        "example": .integer(entry.example), "name": .string(entry.name), ResultKey.className: .string(entry.truth),
        ResultKey.predictedClass: .string(entry.predicted),
      ]
      line["probability"] = entry.probability.map { .number($0) }
      line["loss"] = .number(entry.loss)
      try StandardOutput.write(.object(line))
    }
    var line: JSONObject = [
      "model": .string(stored.settings.model.name), "device": .string(device.name), "data": .string(errors.source),
      ResultKey.part: .string(errors.part.rawValue), ResultKey.examples: .integer(analysis.count),
      "errors": .integer(analysis.entries.count), errors.part.key("accuracy"): .number(analysis.accuracy),
    ]
    line[ResultKey.skipped] = errors.skipped.count.map { .integer($0) }
    line["threshold"] = threshold.map { .number($0) }
    line["confusions"] = .array(
      analysis.confusions.prefix(Self.confusionLimit).map {
        [
          ResultKey.className: .string($0.truth), ResultKey.predictedClass: .string($0.predicted),
          "errors": .integer($0.count),
        ]
      })
    line["tags"] = counts?.json
    line["output"] = sheet.map { .string($0) }
    line["checkpoint"] = .string(stored.checkpoint.path)
    try StandardOutput.write(.object(line))
  }
}
