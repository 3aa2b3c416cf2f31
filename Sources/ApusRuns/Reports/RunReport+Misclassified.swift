import Apus

extension RunReport {
  /// The misclassified examples, those with the largest losses first, as `apus errors` lists them.
  func misclassified() throws -> Report.Section? {
    guard let examination, let results = examination.results else { return nil }
    let wrong = examination.misclassified
    guard !wrong.isEmpty else { return Report.Section("Misclassified examples", [.text("None.")]) }
    let shown = Array(wrong.prefix(24))
    guard let images = try withDevice(examination.device, { try examination.images(shown) }) else { return nil }
    let text =
      "\(wrong.count.grouped) examples are misclassified; the figure shows those with the largest losses. "
      + "Each caption gives the class, the predicted class and its probability."
    let cells = zip(shown, images).map { example, image in
      let percent = Double(results.probability(example)).percent(places: 0, space: "\u{a0}")
      return ImageGrid.Cell(
        png: image.pngData(), caption: "\(RunReport.caption(examination, results, example)), \(percent)")
    }
    let grid = ImageGrid("The worst misclassified examples", cells)
    return Report.Section(
      "Misclassified examples", [.text(text), .figure(Report.Figure("misclassified", grid, isWide: true))])
  }

  /// The class of an example, and the predicted class if it differs: `coat → shirt`.
  static func caption(_ examination: Examination, _ results: ClassificationResults, _ example: Int) -> String {
    let (label, predicted) = (Int(results.labels[example]), Int(results.predicted[example]))
    let names = examination.classNames
    return label == predicted ? names[label] : "\(names[label]) → \(names[predicted])"
  }
}
