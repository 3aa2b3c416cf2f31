import Apus

extension RunReport {
  /// How the model does with test data, as a whole and by class.
  func results() throws -> Report.Section? {
    guard let examination, !examination.labels.isEmpty else { return nil }
    let names = examination.classNames
    var counts = [Int](repeating: 0, count: names.count * names.count)
    for (label, predicted) in zip(examination.labels, examination.predicted) where Int(label) < names.count {
      counts[Int(label) * names.count + predicted] += 1
    }
    let matrix = HeatMap.confusion("Confusion matrix", counts: counts, classes: names)
    return Report.Section(
      "Results",
      [
        .text(RunReport.extent(examination)),
        .figure(Report.Figure("confusion-matrix", matrix, isWide: names.count > 12)),
      ])
  }

  private static func extent(_ examination: Examination) -> String {
    let (all, examined) = examination.counts
    let part = all > examined ? "The first \(examined.grouped) of \(all.grouped)" : "All \(all.grouped)"
    return "\(part) test examples of \(examination.source)."
  }

  /// The examples that the model is the most certain of, and wrong.
  func mistakes() throws -> Report.Section? {
    guard let examination, !examination.labels.isEmpty else { return nil }
    let wrong = wrongExamples(examination)
    guard !wrong.isEmpty else { return Report.Section("Mistakes", [.text("There are none.")]) }
    let shown = Array(wrong.prefix(24))
    let text = Report.Block.text(
      "\(wrong.count.grouped) examples are taken for another class; shown are those with the largest share for it. "
        + "Below each: its class, what it was taken for, and the share.")
    guard let images = try withDevice(examination.device, { try examination.pictures(shown) }) else {
      return Report.Section("Mistakes", [text])
    }
    let predicted = examination.predicted
    let cells = zip(shown, images).map { example, image in
      let names = examination.classNames
      let (label, taken) = (Int(examination.labels[example]), predicted[example])
      let share = examination.row(example).max() ?? 0
      let truth = label < names.count ? names[label] : String(label)
      let percent = (100 * Double(share)).text(places: 0)
      return ImageGrid.Cell(png: image.pngData(), caption: "\(truth) → \(names[taken]), \(percent)\u{a0}%")
    }
    let grid = ImageGrid("The most certain mistakes", cells)
    return Report.Section("Mistakes", [text, .figure(Report.Figure("mistakes", grid, isWide: true))])
  }

  /// Examples that are taken for another class, the most certain first.
  func wrongExamples(_ examination: Examination) -> [Int] {
    let predicted = examination.predicted
    let wrong = examination.labels.indices.filter { Int(examination.labels[$0]) != predicted[$0] }
    let shares = wrong.map { examination.row($0).max() ?? 0 }
    return wrong.indices.sorted { (shares[$1], wrong[$0]) < (shares[$0], wrong[$1]) }.map { wrong[$0] }
  }
}
