import Apus
import ApusSystem

/// The files of a learning curve: the numbers (JSON), the chart (SVG) and a page (HTML).
struct LearningCurveReport {
  private let folder: String

  /// Creates the folder and its missing parents; a folder that exists is kept, with its files.
  init(creating folder: String) throws(DataError) {
    self.folder = folder
    try reportingFiles { () throws(FileError) in try FileSystem.createDirectory(folder) }
  }

  /// Writes the files; older ones are replaced.
  func write(_ curve: LearningCurve, _ settings: RunSettings) throws(DataError) {
    let chart = LineChart("Learning curve", curve)
    var numbers = curve.json.object ?? [:]
    numbers["settings"] = .object(settings.json)
    let report = Report(
      "\(settings.model.name): learning curve", subtitle: "\(settings.data) · on \(settings.device ?? "")",
      sections: [
        Report.Section(
          "Errors by the number of examples",
          [.figure(Report.Figure("learning-curve", chart, isWide: true))]
            + curve.fit.text.split(separator: "\n").map { .text(String($0)) })
      ])
    let files = [
      ("learning-curve.json", JSON.object(numbers).text(indented: true) + "\n"), ("learning-curve.svg", chart.svg()),
      ("report.html", report.html()),
    ]
    for (file, text) in files {
      try reportingFiles { () throws(FileError) in
        try AtomicFile.write(Array(text.utf8), to: "\(folder)/\(file)")
      }
    }
  }
}
