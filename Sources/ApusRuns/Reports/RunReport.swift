import Apus
import ApusSystem

/// The report about a run, one function per section.
///
/// To add a section, write a function that returns the section, or `nil` if the run has no data for it, and call the
/// function in `make()`.
package struct RunReport {
  package let record: RunRecord
  /// The run at its newest checkpoint, if there is one.
  package private(set) var stored: Run?
  /// The results of the model on examples, if there are any.
  private(set) var examination: Examination?
  /// The omitted contents of the report, with the reasons.
  package private(set) var omissions: [String] = []

  package init(_ record: RunRecord) { self.record = record }

  /// The report, with the sections for which the run has data.
  package func make() throws -> Report {
    let sections: [Report.Section?] = [
      curves(), try results(), regression(), try misclassified(), try model(), try weights(), try activations(),
      try saliencyAndFeatureMaps(), try attention(),
      configuration(),
    ]
    return Report(title, subtitle: subtitle, facts: facts, sections: sections.compactMap(\.self))
  }

  // MARK: - Examination

  /// Reads the newest checkpoint and the data, and runs the model over the data.
  /// - Throws: `OptionError` for an error in the options. All other errors are recorded as omissions.
  package mutating func examine(
    data: String?, part: DataPart?, on device: @autoclosure () throws -> ComputeDevice
  ) throws(OptionError) {
    do {
      let stored = try Run(at: record.path)
      self.stored = stored
      let device = try device()
      examination = try withDevice(device) {
        try Examination(stored, stored.data(of: data, part: part), device: device)
      }
      examination?.skipped.report()
    } catch let error as OptionError {
      throw error
    } catch {
      let reason = "the results of the model on examples are left out: \(error)"
      omissions.append(reason)
      Diagnostics.write(reason)
    }
  }

  // MARK: - Title and facts

  private var title: String { record.settings.model.name }

  private var subtitle: String {
    var parts = ["\(record.settings.data) · \(record.settings.optimizer)"]
    if let device = record.settings.device { parts.append("on \(device)") }
    parts.append(record.path)
    return parts.joined(separator: " · ")
  }

  private var facts: [Report.Fact] {
    let metrics = record.metrics
    var facts: [Report.Fact] = []
    func add(_ name: String, _ value: String?) {
      if let value { facts.append(Report.Fact(name: name, value: value)) }
    }
    add("test accuracy", metrics.last("test_accuracy").map { $0.percent(places: 2) })
    add("test loss", metrics.last("test_loss").map { $0.text(places: 4) })
    add("training accuracy", metrics.last("train_accuracy").map { $0.percent(places: 2) })
    add("training loss", metrics.last("train_loss").map { $0.text(places: 4) })
    add("epochs", epochs)
    add("steps", metrics.last("step").flatMap { Int(exactly: $0) }.map(\.grouped))
    add("time", metrics.last("seconds").map { RunReport.duration($0) })
    add("parameters", examination.map { $0.parameterCount.grouped })
    return facts
  }

  private var epochs: String? {
    guard let last = record.metrics.last("epoch").flatMap({ Int(exactly: $0) }) else { return nil }
    guard case .epochs(let all) = record.settings.length else { return "\(last)" }
    return "\(last) of \(all.shortestJSON.text())"
  }

  /// `45 s`, `3 min 12 s`, `2 h 5 min`
  static func duration(_ seconds: Double) -> String {
    let total = seconds.wholeSeconds
    if total < 10 { return "\(seconds.text(places: 1)) s" }
    if total < 60 { return "\(total) s" }
    if total < 3600 { return "\(total / 60) min \(total % 60) s" }
    return "\(total / 3600) h \(total / 60 % 60) min"
  }
}

extension RunReport {
  /// The settings of the run.
  package func configuration() -> Report.Section? {
    let rows = record.configuration.map { key, value -> [String] in
      [key.replacing("_", with: " "), value.string ?? value.text()]
    }
    let table = TableChart("Settings", [.init(""), .init("")], rows)
    return Report.Section("Configuration", [.figure(Report.Figure("settings", table, isWide: true))])
  }
}
