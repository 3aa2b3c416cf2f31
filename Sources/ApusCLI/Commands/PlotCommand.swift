import Apus
import ApusFiles

enum PlotCommand: Command {
  static let name = "plot"
  static let summary = "draw a run: curves, model, mistakes, what its layers see"
  static let run = Argument(
    ValueKind<String>("RUN", expectation: "a run", completion: .directories) { $0.isEmpty ? nil : $0 },
    help: "the directory of a run; one that is still going on is drawn as far as it is")
  static let output = Option("output", .file, help: "where the page is written (default: report.html in the run)")
  static let data = EvaluateCommand.data
  static let part = EvaluateCommand.part
  static let device = RunOptions.device
  static let curves = Flag("curves-only", help: "draw what the run has written; neither data nor weights are read")
  static let json = Flag("json", help: "print one JSON object for each picture, then one for the page")
  static let declarations = [
    run.declaration, output.declaration, data.declaration, part.declaration, device.declaration, curves.declaration,
    json.declaration,
  ]
  static let discussion = """
    Writes a page, report.html, and its pictures as plots/*.svg into the directory of the run, and prints their paths.
    What the model does with examples is left out of the page, with the reason, where there are no weights or no data.
    """

  static func run(_ arguments: Arguments) throws {
    let path = arguments[run]!
    let ofExamples = [data.declaration, part.declaration, device.declaration]
    if arguments[curves], let given = ofExamples.first(where: { arguments.contains($0) }) {
      throw UsageError(command: name, message: "--curves-only reads no data: --\(given.name) is of no use with it")
    }
    let source = try RunRecord(path: path, command: name)
    let page = arguments[output] ?? "\(path)/report.html"
    let pages = try reportingFiles { () throws(FileError) in try AtomicFile(path: page) }
    var report = RunReport(source)
    if !arguments[curves] {
      try report.examine(
        data: arguments[data], part: arguments[part].flatMap(DataPart.init), device: arguments[device])
    }
    let result = try report.make()
    let plots = "\(path)/plots"
    try reportingFiles { () throws(FileError) in try FileSystem.createDirectory(plots) }
    for figure in result.figures {
      let file = "\(plots)/\(figure.name).svg"
      let text = figure.chart.svg()
      try reportingFiles { () throws(FileError) in try AtomicFile.write(Array(text.utf8), to: file) }
      let line: JSON = ["plot": .string(figure.name), "title": .string(figure.chart.title), "file": .string(file)]
      try arguments[json] ? StandardOutput.write(line) : StandardOutput.write(line: file)
    }
    let html = result.html()
    try reportingFiles { () throws(FileError) in
      try pages.write(Array(html.utf8))
      try pages.commit()
    }
    guard arguments[json] else { return try StandardOutput.write(line: page) }
    try StandardOutput.write([
      "run": .string(path), "report": .string(page), "plots": .integer(result.figures.count),
      "records": .integer(source.metrics.records.count), "omitted": .array(report.omissions.map { .string($0) }),
    ])
  }
}
