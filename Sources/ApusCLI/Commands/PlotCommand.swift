import Apus
import ApusRuns
import ApusSystem

enum PlotCommand: Command {
  static let name = "plot"
  static let summary = "draw a run: curves, model, misclassified examples, saliency and feature maps"
  static let run = Argument(
    ValueKind<String>("RUN", expectation: "a run", completion: .folders) { $0.isEmpty ? nil : $0 },
    help: "the folder of a run, which may still be training")
  static let output = Option("output", .file, help: "the file of the page (default: report.html in the run)")
  static let data = EvaluateCommand.data
  static let part = EvaluateCommand.part
  static let device = RunOptions.device
  static let curves = Flag("curves-only", help: "draw only the metrics of the run; neither data nor weights are read")
  static let json = Flag("json", help: "print one JSON object for each figure, then one for the page")
  static let declarations = [
    run.declaration, output.declaration, data.declaration, part.declaration, device.declaration, curves.declaration,
    json.declaration,
  ]
  static let discussion = """
    Writes a page (report.html, or the file of --output) and, in the folder plots/ of the run, an SVG file for each
    figure. Prints their paths. Without weights or data, the page has no results on examples; the command prints the reason.
    """

  static func run(_ arguments: Arguments) throws {
    let path = arguments[run]!
    let ofExamples = [data.declaration, part.declaration, device.declaration]
    if arguments[curves], let given = ofExamples.first(where: { arguments.contains($0) }) {
      throw OptionError("--\(given.name) has no effect with --curves-only, which reads no data")
    }
    let source = try RunRecord(path: path)
    let pages = try page(of: source, output: arguments[output])
    var report = RunReport(source)
    if !arguments[curves] {
      try report.examine(
        data: arguments[data], part: arguments[part], on: .chosen(by: arguments[device]))
    }
    let count = try write(report.make(), of: source, to: pages) { figure, file in
      let line: JSON = ["plot": .string(figure.name), "title": .string(figure.chart.title), "file": .string(file)]
      try arguments[json] ? StandardOutput.write(line) : StandardOutput.write(line: file)
    }
    guard arguments[json] else { return try StandardOutput.write(line: pages.path) }
    try StandardOutput.write([
      "run": .string(path), "report": .string(pages.path), "plots": .integer(count),
      "records": .integer(source.metrics.records.count), "omitted": .array(report.omissions.map { .string($0) }),
    ])
  }

  /// Opens the file of the page. The command calls this before the model runs, so that a path that cannot be written is
  /// an early error.
  static func page(of source: RunRecord, output: String?) throws(DataError) -> AtomicFile {
    try reportingFiles { () throws(FileError) in
      if let output { return try AtomicFile(path: output) }
      return try AtomicFile(in: source.files.folder, name: "report.html")
    }
  }

  /// Writes each chart to a separate file, then the page.
  /// - Parameter onFigure: receives each chart with the path of its file.
  /// - Returns: the number of charts.
  static func write(
    _ report: Report, of source: RunRecord, to pages: AtomicFile,
    onFigure: (_ figure: Report.Figure, _ file: String) throws -> Void
  ) throws -> Int {
    let plots = try reportingFiles { () throws(FileError) in try source.files.folder.folder(creating: "plots") }
    for figure in report.figures {
      let name = "\(figure.name).svg"
      let text = figure.chart.svg()
      try reportingFiles { () throws(FileError) in try AtomicFile.write(Array(text.utf8), in: plots, name: name) }
      try onFigure(figure, plots.path(of: name))
    }
    let html = report.html()
    try reportingFiles { () throws(FileError) in
      try pages.write(Array(html.utf8))
      try pages.commit()
    }
    return report.figures.count
  }
}
